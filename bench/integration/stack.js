/** One of the three applications, with the embedded store behind it, on free ports of this machine. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, PutBucketCorsCommand, S3Client } from '@aws-sdk/client-s3';
import { build } from 'esbuild';

const BINARY =
  process.env.LOADLOCK_BIN ?? fileURLToPath(new URL('../../target/release/loadlock', import.meta.url));
/** Its SHA-256 stands in loadlock.toml. */
const API_KEY = 'llk_of-these-tests-alone';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export class Stack {
  #processes = [];

  static async start(variant) {
    const stack = new Stack();
    stack.variant = variant;
    stack.directory = await mkdtemp(join(tmpdir(), `loadlock-${variant}-`));
    const port = await freePort();
    stack.address = `http://127.0.0.1:${port}`;
    stack.store = await stack.#ready(BINARY, ['store', '--json', '--port', '0', '--data', stack.directory]);
    const settings = await (variant === 'loadlock' ? stack.#loadlock() : stack.#bucket());
    const entry = here(`${variant}/page.js`);
    await build({
      entryPoints: [entry],
      bundle: true,
      format: 'esm',
      outdir: stack.directory,
      define: DEFINED,
    });
    const environment = { ...settings, PORT: port, BUNDLE: stack.directory };
    const server = stack.#spawn('node', [here(`${variant}/server.js`)], environment);
    while (!(await answers(stack.address))) {
      assert.equal(server.exitCode, null, `${variant}/server.js ended`);
      await pause(50);
    }
    return stack;
  }

  async stop() {
    for (const process of this.#processes.reverse()) {
      const ended = once(process, 'exit');
      process.kill();
      await ended;
    }
    await rm(this.directory, { recursive: true });
  }

  /** `loadlock provision` and `loadlock serve` by loadlock.toml; the environment says where this store is. */
  async #loadlock() {
    const { s3, region, identities } = this.store;
    const [{ access_key_id, secret_access_key }] = identities;
    const port = await freePort();
    const api = `http://127.0.0.1:${port}`;
    const settings = { ENDPOINT: s3, REGION: region };
    for (const identity of ['UPLOADER', 'SERVER', 'READER']) {
      settings[`${identity}_ACCESS_KEY_ID`] = access_key_id;
      settings[`${identity}_SECRET_ACCESS_KEY`] = secret_access_key;
    }
    const store = Object.entries(settings).map(([name, value]) => [`LOADLOCK_STORE_${name}`, value]);
    const environment = {
      ...Object.fromEntries(store),
      AWS_ACCESS_KEY_ID: access_key_id,
      AWS_SECRET_ACCESS_KEY: secret_access_key,
      AWS_REGION: region,
      LOADLOCK_LISTEN: `127.0.0.1:${port}`,
      LOADLOCK_PUBLIC_URL: api,
      LOADLOCK_RECORDS: join(this.directory, 'records.db'),
      LOADLOCK_ORIGINS: this.address,
    };
    const config = ['--config', here('loadlock/loadlock.toml')];
    const [code] = await once(this.#spawn(BINARY, ['provision', ...config], environment), 'exit');
    assert.equal(code, 0);
    await this.#ready(BINARY, ['serve', '--json', ...config], environment);
    return { LOADLOCK_URL: api, LOADLOCK_API_KEY: API_KEY };
  }

  /** A bucket with the variant's CORS rules for this page. */
  async #bucket() {
    const { s3, region, identities } = this.store;
    const [{ access_key_id: accessKeyId, secret_access_key: secretAccessKey }] = identities;
    const credentials = { accessKeyId, secretAccessKey };
    const client = new S3Client({ endpoint: s3, region, credentials, forcePathStyle: true });
    const Bucket = 'photos';
    const rules = await readFile(here(`${this.variant}/cors.json`), 'utf8');
    const CORSConfiguration = JSON.parse(rules.replace('https://app.example.com', this.address));
    await client.send(new CreateBucketCommand({ Bucket }));
    await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration }));
    return {
      S3_ENDPOINT: s3,
      S3_HOST: new URL(s3).host,
      S3_SECURE: 'false',
      S3_REGION: region,
      S3_KEY: accessKeyId,
      S3_SECRET: secretAccessKey,
      BUCKET: Bucket,
      COMPANION_SECRET: 'of these tests alone',
      HOST: new URL(this.address).host,
    };
  }

  #spawn(command, args, environment) {
    const stdio = ['ignore', 'pipe', 'inherit'];
    const process_ = spawn(command, args, { env: { ...process.env, ...environment }, stdio });
    process_.once('exit', () => {
      this.#processes = this.#processes.filter((other) => other !== process_);
    });
    this.#processes.push(process_);
    return process_;
  }

  async #ready(command, args, environment) {
    const process = this.#spawn(command, args, environment);
    const said = await Promise.race([
      once(createInterface({ input: process.stdout }), 'line'),
      once(process, 'exit'),
    ]);
    assert.equal(typeof said[0], 'string', `${args.join(' ')} ended`);
    return JSON.parse(said[0]);
  }
}

const DEFINED = { 'process.env.NODE_ENV': '"production"' };

/** Read to its end: a server that is asked to stop waits for whoever has not taken all of his answer. */
const answers = (address) =>
  fetch(address).then(
    (answer) => answer.arrayBuffer().then(() => answer.ok),
    () => false,
  );

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
