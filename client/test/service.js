/**
 * A service and a store on two ports of this machine, in memory, that answer as the real ones do. What goes wrong
 * on the way is the test's to say: `meddle` may answer, delay or cut off any request before they see it.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';

/**
 * @typedef {import('node:http').IncomingMessage} IncomingMessage
 * @typedef {import('node:http').ServerResponse} ServerResponse
 * @typedef {{method: string, path: string, body: Buffer, headers: import('node:http').IncomingHttpHeaders}} Seen
 * @typedef {(seen: Seen, response: ServerResponse) => boolean | undefined | Promise<boolean>} Meddle true: it was dealt with
 * @typedef {{state: string, body: any, parts: Map<number, Buffer>, object?: Buffer}} Kept
 */

export const PROFILE = {
  name: 'post',
  types: ['image/jpeg', 'video/*'],
  min_size: 1,
  max_size: 1000,
  methods: ['put', 'post', 'multipart'],
  promote: 'on_claim',
  metadata: {},
};

const LATER = new Date(Date.now() + 3_600_000).toISOString();

export class Service {
  /** @type {Seen[]} */
  seen = [];
  /** @type {Map<string, Kept>} */
  uploads = new Map();
  /** @type {Meddle} */
  meddle = () => undefined;
  partSize = 10;
  /** What the profile says beside. @type {Partial<import('../src/api.js').Profile>} */
  rules = {};
  /** URLs are good only while this number is in them. */
  signature = 1;
  api = '';
  store = '';
  /** @type {import('node:http').Server[]} */
  #servers = [];

  static async start() {
    const service = new Service();
    service.api = await service.#listen((seen, response) => service.#answer(seen, response));
    service.store = await service.#listen((seen, response) => service.#keep(seen, response));
    return service;
  }

  stop() {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  /**
   * What was asked for, as `METHOD /path`, without what tells one upload from another.
   *
   * @param {RegExp} [which]
   */
  asked(which = /./) {
    return this.seen
      .map(({ method, path }) => `${method} ${path.replace(/\?.*/, '')}`)
      .filter((line) => which.test(line));
  }

  /** @param {(seen: Seen, response: ServerResponse) => void} serve */
  async #listen(serve) {
    const server = createServer(async (request, response) => {
      const chunks = [];
      try {
        for await (const chunk of request) chunks.push(chunk);
      } catch {
        return; // the client went away
      }
      const { method = '', url: path = '', headers } = request;
      const seen = { method, path, headers, body: Buffer.concat(chunks) };
      this.seen.push(seen);
      if (!(await this.meddle(seen, response))) serve(seen, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#servers.push(server);
    return `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
  }

  /**
   * @param {Seen} seen
   * @param {ServerResponse} response
   */
  #answer({ method, path, body, headers }, response) {
    const [, , , id = '', action] = path.replace(/\?.*/, '').split('/');
    if (path.startsWith('/v1/profiles/')) return json(response, 200, { ...PROFILE, ...this.rules });
    if (method === 'POST' && path === '/v1/uploads')
      return this.#begin(JSON.parse(body.toString()), headers, response);
    const kept = this.uploads.get(id);
    if (!kept || headers.authorization !== `Bearer llt_${id}`) return refuse(response, 404, 'not_found');
    if (method === 'DELETE') kept.state = 'aborted';
    if (action === 'parts') return this.#sign(id, kept, JSON.parse(body.toString()).parts, response);
    if (action === 'complete') return this.#complete(id, kept, response);
    return json(response, 200, this.record(id, kept));
  }

  /**
   * @param {any} body
   * @param {import('node:http').IncomingHttpHeaders} headers
   * @param {ServerResponse} response
   */
  #begin(body, headers, response) {
    if (headers.authorization !== 'Bearer llu_user') return refuse(response, 401, 'unauthenticated');
    const id = `U${this.uploads.size + 1}`;
    this.uploads.set(id, { state: 'issued', body, parts: new Map() });
    const begun = { id, state: 'issued', token: `llt_${id}`, expires_at: LATER };
    json(response, 201, { ...begun, grant: { ...this.#grant(id, body), expires_at: LATER } });
  }

  /**
   * @param {string} id
   * @param {any} body
   */
  #grant(id, { method = 'put', content_type, size }) {
    const url = `${this.store}/${id}?signature=${this.signature}`;
    if (method === 'post')
      return { method, url: `${this.store}/`, fields: { key: id, 'Content-Type': content_type } };
    if (method === 'put')
      return { method, url, headers: { 'content-type': content_type, 'if-none-match': '*' } };
    const numbers = Array.from({ length: Math.min(2, Math.ceil(size / this.partSize)) }, (_, i) => i + 1);
    return { method, part_size: this.partSize, parts: numbers.map((number) => this.#part(id, number)) };
  }

  /**
   * @param {string} id
   * @param {number} number
   */
  #part(id, number) {
    return {
      number,
      url: `${this.store}/${id}/${number}?signature=${this.signature}`,
      headers: {},
      size: this.partSize,
    };
  }

  /**
   * @param {string} id
   * @param {Kept} kept
   * @param {number[]} numbers
   * @param {ServerResponse} response
   */
  #sign(id, kept, numbers, response) {
    if (kept.state !== 'issued') return refuse(response, 409, 'upload_ended');
    const held = [...kept.parts].map(([number, { length }]) => ({ number, size: length }));
    const parts = numbers.map((number) => this.#part(id, number));
    return json(response, 200, { part_size: this.partSize, held, parts, expires_at: LATER });
  }

  /**
   * @param {string} id
   * @param {Kept} kept
   * @param {ServerResponse} response
   */
  #complete(id, kept, response) {
    if (kept.state === 'issued') {
      const parts = [...kept.parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
      const object = kept.object ?? Buffer.concat(parts);
      if (object.length !== kept.body.size) return refuse(response, 409, 'not_received', true);
      kept.object = object;
      kept.state = 'ready';
    }
    return json(response, 200, this.record(id, kept));
  }

  /**
   * @param {string} id
   * @param {Kept} kept
   */
  record(id, { state, body }) {
    return { id, state, ...body, created_at: LATER, expires_at: LATER };
  }

  /**
   * The store's side.
   *
   * @param {Seen} seen
   * @param {ServerResponse} response
   */
  async #keep({ method, path, headers, body }, response) {
    const url = new URL(path, this.store);
    if (method === 'POST') {
      const form = await new Response(new Uint8Array(body), {
        headers: { 'content-type': headers['content-type'] ?? '' },
      }).formData();
      const file = /** @type {File} */ (form.get('file'));
      this.#upload(String(form.get('key'))).object = Buffer.from(await file.arrayBuffer());
      return response.writeHead(204).end();
    }
    if (url.searchParams.get('signature') !== String(this.signature))
      return deny(response, 403, 'AccessDenied');
    const [, id = '', number] = url.pathname.split('/');
    const kept = this.#upload(id);
    if (number) kept.parts.set(Number(number), body);
    else if (kept.object) return deny(response, 412, 'PreconditionFailed');
    else kept.object = body;
    return response.writeHead(200, { etag: '"x"' }).end();
  }

  /** @param {string} id */
  #upload(id) {
    const kept = this.uploads.get(id);
    if (!kept) throw new Error(`the store was sent ${id}, which nobody began`);
    return kept;
  }
}

/**
 * @param {ServerResponse} response
 * @param {number} status
 * @param {unknown} body
 */
export function json(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/**
 * @param {ServerResponse} response
 * @param {number} status
 * @param {string} code
 * @param {boolean} [retryable]
 */
export function refuse(response, status, code, retryable = false) {
  json(response, status, { error: { code, message: `the service says ${code}`, retryable } });
}

/**
 * @param {ServerResponse} response
 * @param {number} status
 * @param {string} code
 */
export function deny(response, status, code) {
  response.writeHead(status).end(`<Error><Code>${code}</Code><Message>no</Message></Error>`);
}
