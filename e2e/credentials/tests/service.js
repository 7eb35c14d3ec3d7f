/** The service under test: the built binary's `dev`, or the one that the environment names. */

import assert from 'node:assert/strict';
import { deflateSync, crc32 } from 'node:zlib';
import { setTimeout as pause } from 'node:timers/promises';
import { Loadlock } from '../../browser/tests/loadlock.js';

const OWNER = 'ada';

export class Service {
  static async start() {
    const service = new Service();
    const { LOADLOCK_URL: url, LOADLOCK_API_KEY: key, LOADLOCK_USER_TOKEN: token } = process.env;
    if (token) {
      Object.assign(service, { api: url, token });
      return service;
    }
    if (url) {
      Object.assign(service, { api: url, token: key, owner: OWNER });
      return service;
    }
    service.loadlock = await Loadlock.start();
    // The demo's own key: it may name an owner, as the other service's may.
    Object.assign(service, { api: service.loadlock.api, token: service.loadlock.api_key, owner: OWNER });
    return service;
  }

  async stop() {
    await this.loadlock?.stop();
  }

  async ask(method, path, body) {
    const headers = { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' };
    const answer = await fetch(this.api + path, { method, headers, body: body && JSON.stringify(body) });
    const json = await answer.json();
    assert.ok(answer.ok, `${method} ${path}: ${JSON.stringify(json)}`);
    return json;
  }

  vend() {
    return this.ask('POST', '/v1/credentials', { profile: 'image', owner: this.owner, lifetime: 900 });
  }

  complete(id, keys) {
    return this.ask('POST', `/v1/credentials/${id}/complete`, { keys });
  }

  async bytes(id) {
    const answer = await fetch(`${this.api}/f/${id}`);
    assert.ok(answer.ok, `${answer.status}`);
    return Buffer.from(await answer.arrayBuffer());
  }

  /** Waits until a file of this name is there. */
  async awaitFile(filename) {
    for (;;) {
      const { files } = await this.ask('GET', '/v1/files');
      const found = files.find((file) => file.filename === filename);
      if (found) return found;
      await pause(500);
    }
  }
}

/** A picture of one pixel, unlike those of other seeds. */
export function png(seed) {
  const chunk = (kind, data) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.from([0, seed, 1, 2]))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
