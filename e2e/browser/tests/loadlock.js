/** The built binary, started on a directory of its own and stopped again. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const BINARY =
  process.env.LOADLOCK_BIN ?? fileURLToPath(new URL('../../../target/release/loadlock', import.meta.url));

export class Loadlock {
  static async start() {
    const loadlock = new Loadlock();
    loadlock.data = await mkdtemp(join(tmpdir(), 'loadlock-browser-'));
    const { PAGE_PORT: port, PAGE_CONFIG: config } = process.env;
    await loadlock.run(config ? ['--port', port, '--config', config] : ['--port', '0', '--s3-port', '0']);
    return loadlock;
  }

  /** Runs `dev` until it says that it is ready; what it says is this object's then: `api`, `s3`, `token`, …. */
  async run(ports) {
    this.process = spawn(BINARY, ['dev', ...ports, '--json', '--data', this.data], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let complaints = '';
    this.process.stderr.on('data', (chunk) => {
      complaints = (complaints + chunk).slice(-4000);
    });
    const lines = createInterface({ input: this.process.stdout });
    const said = await Promise.race([once(lines, 'line'), once(this.process, 'exit')]);
    assert.equal(typeof said[0], 'string', `the binary ended: ${complaints}`);
    Object.assign(this, JSON.parse(said[0]));
  }

  /** Dies as by a power cut. */
  async kill() {
    await this.end('SIGKILL');
  }

  /** Starts again where it was: same directory, same addresses. */
  async restart() {
    const port = (address) => new URL(address).port;
    await this.run(['--port', port(this.api), '--s3-port', port(this.s3)]);
  }

  async stop() {
    await this.end('SIGINT');
    assert.equal(this.process.exitCode, 0, 'Ctrl-C stops it cleanly');
    await rm(this.data, { recursive: true });
  }

  async end(signal) {
    const ended = once(this.process, 'exit');
    this.process.kill(signal);
    await ended;
  }

  /** Asks the API as a program would. */
  async ask(path, { method = 'GET', token = this.token, body } = {}) {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(this.api + path, { method, headers, body: body && JSON.stringify(body) });
    return response.json();
  }
}
