/** `loadlock serve` on an embedded store, believing the issuers that a test names. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const BINARY =
  process.env.LOADLOCK_BIN ?? fileURLToPath(new URL('../../../target/release/loadlock', import.meta.url));
const OPERATOR = { AWS_ACCESS_KEY_ID: 'OPERATOR', AWS_SECRET_ACCESS_KEY: 'the secret of the operator' };
const BUCKETS = { staging: 'example-staging', final: 'example-final' };

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

export class Service {
  /**
   * @param {string} issuers sections of the configuration
   * @param {string} [page] whose origin may call the API
   */
  static async start(issuers, page = 'http://127.0.0.1:1') {
    const service = new Service();
    service.directory = await mkdtemp(join(tmpdir(), 'loadlock-identity-'));
    const store = join(service.directory, 'store');
    await mkdir(store);
    await writeFile(join(service.directory, 'store.json'), JSON.stringify(identities()));
    service.store = await start([
      'store',
      '--data',
      store,
      '--port',
      '0',
      '--config',
      service.path('store.json'),
    ]);
    service.api = `http://127.0.0.1:${await freePort()}`;
    await writeFile(
      service.path('loadlock.toml'),
      configuration(service.api, service.store.said.s3, issuers, page),
    );
    await ended(program(['provision', '--config', service.path('loadlock.toml')], OPERATOR));
    await service.serve();
    return service;
  }

  path(name) {
    return join(this.directory, name);
  }

  async serve() {
    this.served = await start(['serve', '--config', this.path('loadlock.toml')]);
  }

  /** Starts again, knowing nothing of what others have said. */
  async restart() {
    await stop(this.served);
    await this.serve();
  }

  async stop() {
    await stop(this.served);
    await stop(this.store);
    await rm(this.directory, { recursive: true });
  }

  /** What a token may do here: a status, and what is said about it. */
  async ask(token, path = '/v1/files', options = {}) {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(this.api + path, { headers, ...options });
    return { status: response.status, body: await response.json() };
  }

  /** Whose the upload is that this token begins. */
  async owner(token) {
    const wish = { profile: 'image', filename: 'a.png', content_type: 'image/png', size: 70 };
    const begun = await this.ask(token, '/v1/uploads', { method: 'POST', body: JSON.stringify(wish) });
    assert.equal(begun.status, 201, JSON.stringify(begun.body));
    return (await this.ask(token, `/v1/uploads/${begun.body.id}`)).body.owner;
  }
}

const people = ['uploader', 'server', 'reader'];

function identities() {
  const all = people.map((name) => ({
    name,
    access_key_id: name.toUpperCase(),
    secret_access_key: `secret of the ${name}`,
  }));
  const { AWS_ACCESS_KEY_ID: access_key_id, AWS_SECRET_ACCESS_KEY: secret_access_key } = OPERATOR;
  return { identities: [...all, { name: 'operator', access_key_id, secret_access_key }] };
}

function configuration(api, store, issuers, page) {
  const keys = people.map(
    (name) => `[store.${name}]
access_key_id = "${name.toUpperCase()}"
secret_access_key = "secret of the ${name}"`,
  );
  return `listen = "${new URL(api).host}"
public_url = "${api}"
origins = ["${page}"]
secrets = ["of these tests alone, and 32 letters long"]
${issuers}
[store]
endpoint = "${store}"
region = "us-east-1"
staging_bucket = "${BUCKETS.staging}"
final_bucket = "${BUCKETS.final}"
${keys.join('\n')}
[profiles.image]
types = ["image/*"]
max_size = "25 MiB"
`;
}

function program(args, environment = {}) {
  const child = spawn(BINARY, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.complaints = '';
  child.stderr.on('data', (chunk) => {
    child.complaints = (child.complaints + chunk).slice(-4000);
  });
  return child;
}

/** Until it says that it is ready, and what it says. */
async function start(args) {
  const child = program([...args, '--json']);
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, 'line'), once(child, 'exit')]);
  assert.equal(typeof line, 'string', `${args[0]} ended: ${child.complaints}`);
  return { child, said: JSON.parse(line) };
}

async function stop({ child }) {
  const exit = once(child, 'exit');
  child.kill('SIGINT');
  await exit;
}

async function ended(child) {
  child.stdout.resume();
  const [code] = await once(child, 'exit');
  assert.equal(code, 0, child.complaints);
}
