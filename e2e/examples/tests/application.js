/** An example, run as its README says, in front of a Loadlock. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Loadlock } from '../../browser/tests/loadlock.js';

/** The Loadlock that the environment names, else one of this test's own. */
export async function loadlockToTest() {
  const { LOADLOCK_URL: api, LOADLOCK_API_KEY: api_key } = process.env;
  return api ? { api, api_key, stop: () => {} } : await Loadlock.start();
}

/** Which port an example listens on if it is not told. Whoever allows origins by name allows these. */
const PORTS = { express: 3000, fastapi: 8000 };

export class Application {
  /**
   * @param {string} name of the example
   * @param {{api: string, api_key: string}} loadlock
   * @param {string} scratch a directory for its database
   */
  static async start(name, loadlock, scratch) {
    const application = new Application();
    application.directory = fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url));
    const port = process.env.LOADLOCK_URL ? PORTS[name] : await freePort();
    application.address = `http://127.0.0.1:${port}/`;
    application.environment = {
      ...process.env,
      LOADLOCK_URL: loadlock.api,
      LOADLOCK_API_KEY: loadlock.api_key,
      SESSION_SECRET: 'of these tests alone',
      DATABASE: join(scratch, `${name}.db`),
      PORT: port,
      UVICORN_PORT: port,
    };
    await application.run();
    return application;
  }

  /** By the last command of its README's first block; there once it answers. */
  async run() {
    assert.ok(!(await this.answers()), `somebody else answers at ${this.address}`);
    const [, block] = /```sh\n([\s\S]*?)\n```/.exec(
      await readFile(join(this.directory, 'README.md'), 'utf8'),
    );
    const command = block.split('\n').at(-1);
    // In a group of its own: what `npm` has started must end with it.
    const options = {
      cwd: this.directory,
      env: this.environment,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    };
    this.process = spawn('sh', ['-c', command], options);
    this.said = '';
    for (const stream of [this.process.stdout, this.process.stderr])
      stream.on('data', (chunk) => {
        this.said = (this.said + chunk).slice(-4000);
      });
    while (!(await this.answers())) {
      assert.equal(this.process.exitCode, null, `\`${command}\` ended: ${this.said}`);
      await pause(50);
    }
  }

  async answers() {
    try {
      const answer = await fetch(this.address);
      // Read to its end: a server that is asked to stop waits for whoever has not taken all of his answer.
      await answer.arrayBuffer();
      return answer.ok;
    } catch {
      return false;
    }
  }

  async stop() {
    const ended = once(this.process, 'exit');
    process.kill(-this.process.pid, 'SIGTERM');
    await ended;
    while (await this.answers()) await pause(50);
  }

  /** Ends and starts again, with nothing but its database. */
  async restart() {
    await this.stop();
    await this.run();
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
