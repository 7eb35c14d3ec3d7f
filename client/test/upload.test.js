/** One file's upload, against a service and a store that misbehave in every way that real ones do. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, test } from 'node:test';
import { createClient, UploadError } from '../src/index.js';
import { deny, json, refuse, Service } from './service.js';

/** @type {Service} */
let service;

beforeEach(async () => {
  service = await Service.start();
});
afterEach(() => service.stop());

const client = (options = {}) =>
  createClient({ api: service.api, token: 'llu_user', retryDelays: [1, 1, 1], ...options });

const jpeg = (size = 20, name = 'photo.jpg') =>
  new File([Uint8Array.from({ length: size }, (_, i) => i % 251)], name, { type: 'image/jpeg' });

/** @param {import('../src/index.js').Upload} upload */
function statesOf(upload) {
  /** @type {string[]} */
  const states = [upload.state];
  upload.on('state', ({ state }) => states.push(state));
  return states;
}

/**
 * @param {import('../src/index.js').Upload} upload
 * @param {string} state
 * @returns {Promise<void>}
 */
const until = (upload, state) =>
  new Promise((resolve) => {
    if (upload.state === state) return resolve();
    const stop = upload.on('state', () => {
      if (upload.state !== state) return;
      stop();
      resolve();
    });
  });

/**
 * Leaves the first request that matches without an answer, as a network that died, after the service's side has
 * or has not seen it.
 *
 * @param {RegExp} which
 * @param {number} times
 */
function cutOff(which, times = 1) {
  service.meddle = ({ method, path }, response) => {
    if (!which.test(`${method} ${path}`) || times-- === 0) return false;
    response.destroy();
    return true;
  };
}

/** The bytes that the service has for an upload. */
const kept = (id = 'U1') => service.uploads.get(id)?.object;

const heldParts = () => new Set(service.uploads.get('U1')?.parts.keys());

/**
 * @param {Set<number>} held
 * @param {number} before as many requests had been seen when these were held
 */
function assertNoneSentAgain(held, before) {
  const puts = service.seen.slice(before).filter(({ method }) => method === 'PUT');
  assert.ok(puts.length > 0);
  for (const { path } of puts) assert.ok(!held.has(Number(path.split(/[/?]/)[2])), path);
}

/**
 * @param {Promise<unknown>} promise
 * @returns {Promise<UploadError>}
 */
const failure = (promise) =>
  promise.then(
    () => assert.fail('it did not fail'),
    (error) => {
      assert.ok(error instanceof UploadError);
      return error;
    },
  );

for (const method of /** @type {const} */ (['put', 'post', 'multipart'])) {
  test(`a file arrives whole by ${method}`, async () => {
    const file = jpeg(95);
    const upload = client().upload(file, { profile: 'post', method });
    const states = statesOf(upload);
    const record = await upload.done;
    assert.equal(record.state, 'ready');
    assert.deepEqual(kept(), Buffer.from(await file.arrayBuffer()));
    assert.deepEqual(states, ['checking', 'waiting', 'sending', 'completing', 'ready']);
    assert.equal(upload.id, 'U1');
  });
}

test('a name that is not ASCII travels in JSON alone', async () => {
  const upload = client().upload(jpeg(20, '写真 🌸.jpg'), { profile: 'post', method: 'post' });
  assert.equal((await upload.done).filename, '写真 🌸.jpg');
  const form = service.seen.find(({ method, path }) => method === 'POST' && path === '/');
  assert.ok(form && !form.body.includes('写真'));
});

test('what the profile forbids is refused before anything is begun', async () => {
  const rules = [
    { file: jpeg(0), code: 'file_too_small', says: '“photo.jpg” is empty' },
    {
      file: jpeg(1001),
      code: 'file_too_large',
      says: '“photo.jpg” is 1001 bytes; the largest file taken here is 1000 bytes',
    },
    {
      file: new File(['x'], 'notes.txt', { type: 'text/plain' }),
      code: 'type_not_allowed',
      says: '“notes.txt” is a plain text file',
    },
  ];
  for (const { file, code, says } of rules) {
    const upload = client().upload(file, { profile: 'post' });
    const error = await failure(upload.done);
    assert.equal(error.code, code);
    assert.ok(error.message.startsWith(says), error.message);
    assert.equal(upload.state, 'failed');
  }
  assert.deepEqual(service.asked(/^(POST|PUT)/), []);
});

test('a store that answers 5xx and a network that drops are tried again', async () => {
  let troubles = 2;
  service.meddle = ({ method }, response) => {
    if (method !== 'PUT' || troubles === 0) return false;
    if (troubles-- === 2) response.destroy();
    else deny(response, 503, 'SlowDown');
    return true;
  };
  await client().upload(jpeg(), { profile: 'post' }).done;
  assert.equal(service.asked(/^PUT/).length, 3);
});

test('a server that asks for patience is asked again when it says', async () => {
  const times = /** @type {number[]} */ ([]);
  service.meddle = ({ method, path }, response) => {
    if (method !== 'POST' || path !== '/v1/uploads') return false;
    times.push(performance.now());
    if (times.length > 1) return false;
    response.setHeader('access-control-expose-headers', 'retry-after');
    response.setHeader('retry-after', '1');
    refuse(response, 429, 'rate_limited', true);
    return true;
  };
  await client().upload(jpeg(), { profile: 'post' }).done;
  const [first = 0, second = 0] = times;
  assert.ok(second - first >= 990, `${second - first} ms`);
});

test('a server that asks for more patience than people have is not waited for', async () => {
  service.meddle = ({ method, path }, response) => {
    if (method !== 'POST' || path !== '/v1/uploads') return false;
    response.setHeader('retry-after', '3600');
    refuse(response, 429, 'rate_limited', true);
    return true;
  };
  const error = await failure(client().upload(jpeg(), { profile: 'post' }).done);
  assert.deepEqual([error.code, error.retryAfter], ['rate_limited', 3600]);
  assert.equal(service.asked(/^POST/).length, 1);
});

test('a PUT whose answer was lost is completed', async () => {
  let lost = false;
  service.meddle = ({ method, body }, response) => {
    const upload = service.uploads.get('U1');
    if (method !== 'PUT' || lost || !upload) return false;
    lost = true;
    upload.object = body;
    response.destroy();
    return true;
  };
  assert.equal((await client().upload(jpeg(), { profile: 'post' }).done).state, 'ready');
  assert.equal(service.asked(/^PUT/).length, 2);
});

test('a begin whose answer was lost is repeated', async () => {
  cutOff(/^POST \/v1\/uploads$/);
  await client().upload(jpeg(), { profile: 'post' }).done;
  assert.equal(service.asked(/^POST \/v1\/uploads$/).length, 2);
});

test('a complete whose answer was lost is repeated', async () => {
  cutOff(/complete$/);
  assert.equal((await client().upload(jpeg(), { profile: 'post' }).done).state, 'ready');
});

test('while work goes on, the client looks until it is done', async () => {
  let looks = 0;
  service.meddle = ({ method, path }, response) => {
    const upload = service.uploads.get('U1');
    if (!upload || !/complete$|wait=30/.test(path)) return false;
    if (method === 'GET') looks++;
    json(
      response,
      method === 'POST' ? 202 : 200,
      service.record('U1', { ...upload, state: looks < 3 ? 'received' : 'stored' }),
    );
    return true;
  };
  const upload = client().upload(jpeg(), { profile: 'post' });
  assert.equal((await upload.done).state, 'stored');
  assert.equal(upload.state, 'stored');
  assert.equal(looks, 3);
});

test('what did not arrive is sent again', async () => {
  let swallowed = false;
  service.meddle = ({ method }, response) => {
    if (method !== 'PUT' || swallowed) return false;
    swallowed = true;
    response.writeHead(200).end();
    return true;
  };
  await client().upload(jpeg(), { profile: 'post' }).done;
  assert.equal(service.asked(/^PUT/).length, 2);
});

test('an answer of 200 that is not the API’s is a failure', async () => {
  service.meddle = ({ path }, response) => {
    if (path !== '/v1/uploads') return false;
    response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome to the hotel</h1>');
    return true;
  };
  const error = await failure(client().upload(jpeg(), { profile: 'post' }).done);
  assert.equal(error.code, 'unexpected_answer');
});

test('a refusal by the service is shown in its own words, and not repeated', async () => {
  service.meddle = ({ path }, response) => {
    if (path !== '/v1/uploads') return false;
    refuse(response, 403, 'quota_exceeded');
    return true;
  };
  const error = await failure(client().upload(jpeg(), { profile: 'post' }).done);
  assert.deepEqual(
    [error.code, error.message, error.status],
    ['quota_exceeded', 'The service says quota_exceeded.', 403],
  );
  assert.equal(service.asked(/uploads$/).length, 1);
});

test('a file that is rejected fails with the reason and may be begun anew', async () => {
  let rejected = false;
  service.meddle = ({ path }, response) => {
    if (!path.endsWith('/complete') || rejected) return false;
    rejected = true;
    refuse(response, 422, 'rejected');
    return true;
  };
  const upload = client().upload(jpeg(), { profile: 'post' });
  assert.equal((await failure(upload.done)).code, 'rejected');
  upload.retry();
  assert.equal((await upload.done).id, 'U2');
});

test('parts go up four at a time, and those beyond the first URLs are signed in batches', async () => {
  /** @type {(() => void)[]} */
  const hanging = [];
  let most = 0;
  service.meddle = ({ method }) => {
    if (method !== 'PUT') return false;
    return new Promise((resolve) => {
      hanging.push(() => resolve(false));
      most = Math.max(most, hanging.length);
      // Nobody is answered before four have come.
      if (hanging.length === 4) for (const go of hanging.splice(0)) setImmediate(go);
    });
  };
  await client().upload(jpeg(1000), { profile: 'post', method: 'multipart' }).done;
  assert.equal(service.asked(/^PUT/).length, 100);
  assert.equal(most, 4);
  assert.ok(service.asked(/parts$/).length <= 8, service.asked(/parts$/).join());
});

test('each part is tried again by itself', async () => {
  const troubled = new Set();
  service.meddle = ({ method, path }, response) => {
    if (method !== 'PUT' || troubled.has(path)) return false;
    troubled.add(path);
    deny(response, 500, 'InternalError');
    return true;
  };
  await client().upload(jpeg(95), { profile: 'post', method: 'multipart' }).done;
  assert.equal(service.asked(/^PUT/).length, 20);
});

test('part URLs that have expired are signed again', async () => {
  service.meddle = ({ method, path }) => {
    if (method === 'PUT' && path.includes('/5?')) service.signature = 2;
    return false;
  };
  await client().upload(jpeg(200), { profile: 'post', method: 'multipart' }).done;
  assert.equal(kept()?.length, 200);
});

test('a part that the store refuses twice fails the upload', async () => {
  service.meddle = ({ method, path }, response) => {
    if (method !== 'PUT' || !path.includes('/3?')) return false;
    deny(response, 403, 'AccessDenied');
    return true;
  };
  const error = await failure(client().upload(jpeg(200), { profile: 'post', method: 'multipart' }).done);
  assert.deepEqual(
    [error.code, error.message],
    ['store_refused', 'The store refused the file (AccessDenied).'],
  );
});

test('a multipart upload that was paused sends only what the store does not hold', async () => {
  const upload = client({ partsAtOnce: 2 }).upload(jpeg(200), { profile: 'post', method: 'multipart' });
  const states = statesOf(upload);
  const stop = upload.on('progress', () => {
    if (upload.progress.sent < 80) return;
    stop();
    upload.pause();
  });
  await until(upload, 'paused');
  const held = heldParts();
  assert.ok(held.size >= 8);
  const before = service.seen.length;
  upload.resume();
  await upload.done;
  assertNoneSentAgain(held, before);
  assert.equal(kept()?.length, 200);
  assert.deepEqual(states, [
    'checking',
    'waiting',
    'sending',
    'paused',
    'waiting',
    'sending',
    'completing',
    'ready',
  ]);
});

test('a PUT that was paused starts over by the same grant', async () => {
  /** @type {import('../src/index.js').Upload} */
  let upload;
  let first = true;
  service.meddle = ({ method }) => {
    if (method !== 'PUT' || !first) return false;
    first = false;
    upload.pause();
    return true;
  };
  upload = client().upload(jpeg(), { profile: 'post' });
  await until(upload, 'paused');
  upload.resume();
  assert.equal((await upload.done).id, 'U1');
  assert.deepEqual(service.asked(/^PUT/), ['PUT /U1', 'PUT /U1']);
});

test('a grant that died during a pause is replaced by a new one', async () => {
  /** @type {import('../src/index.js').Upload} */
  let upload;
  service.meddle = ({ method }) => {
    if (method !== 'PUT' || service.signature === 2) return false;
    service.signature = 2;
    upload.pause();
    return true;
  };
  upload = client().upload(jpeg(), { profile: 'post' });
  await until(upload, 'paused');
  upload.resume();
  assert.equal((await upload.done).id, 'U2');
});

test('after a failure, a retry goes on from what the store holds', async () => {
  let down = false;
  service.meddle = ({ method, path }, response) => {
    if (method === 'PUT' && path.includes('/9?')) down = true;
    if (!down) return false;
    response.destroy();
    return true;
  };
  const upload = client().upload(jpeg(200), { profile: 'post', method: 'multipart' });
  const error = await failure(upload.done);
  assert.deepEqual([error.code, error.retryable], ['network', true]);
  const held = heldParts();
  service.meddle = () => false;
  const before = service.seen.length;
  upload.retry();
  assert.equal((await upload.done).id, 'U1');
  assertNoneSentAgain(held, before);
});

test('cancelling aborts at the service, once', async () => {
  /** @type {import('../src/index.js').Upload} */
  let upload;
  service.meddle = ({ method }) => {
    if (method === 'PUT') upload.cancel();
    return method === 'PUT';
  };
  upload = client().upload(jpeg(), { profile: 'post' });
  assert.equal((await failure(upload.done)).code, 'cancelled');
  upload.cancel();
  upload.retry();
  upload.resume();
  assert.equal(upload.state, 'cancelled');
  const aborted = new Promise((resolve) => {
    service.meddle = ({ method }, response) => {
      if (method === 'DELETE') response.on('finish', resolve);
      return false;
    };
  });
  await aborted;
  assert.equal(service.uploads.get('U1')?.state, 'aborted');
  assert.equal(service.asked(/^DELETE/).length, 1);
});

test('an AbortSignal cancels', async () => {
  const controller = new AbortController();
  const upload = client().upload(jpeg(), { profile: 'post', signal: controller.signal });
  controller.abort();
  assert.equal((await failure(upload.done)).code, 'cancelled');
  const late = client().upload(jpeg(), { profile: 'post', signal: controller.signal });
  assert.equal(late.state, 'cancelled');
});

test('three files are sent at a time and the others wait; one that leaves makes room', async () => {
  const { upload } = client();
  const state = (/** @type {import('../src/index.js').Upload} */ { state }) => state;
  /** @type {import('../src/index.js').Upload[]} */
  const uploads = [];
  /** @type {(() => void)[]} */
  const hanging = [];
  const threeHang = new Promise((resolve) => {
    service.meddle = ({ method }, response) => {
      if (method !== 'PUT') return false;
      hanging.push(() => deny(response, 503, 'SlowDown'));
      if (hanging.length === 3) resolve(undefined);
      return true;
    };
  });
  for (let i = 0; i < 5; i++) uploads.push(upload(jpeg(), { profile: 'post' }));
  await threeHang;
  assert.deepEqual(uploads.map(state), ['sending', 'sending', 'sending', 'waiting', 'waiting']);
  service.meddle = () => false;
  uploads[0]?.pause();
  await uploads[3]?.done;
  for (const go of hanging) go();
  uploads[0]?.resume();
  await Promise.all(uploads.map(({ done }) => done));
});

/**
 * The application's own server, at this address: it begins by its own means, and remembers the keys it was given.
 *
 * @param {(seen: import('./service.js').Seen, response: import('node:http').ServerResponse) => boolean | undefined} [refusing]
 */
function application(refusing = () => false) {
  /** @type {unknown[]} */
  const keys = [];
  service.meddle = async (seen, response) => {
    if (seen.path !== '/begin') return false;
    keys.push(seen.headers['idempotency-key']);
    if (refusing(seen, response)) return true;
    const headers = { authorization: 'Bearer llu_user' };
    const begun = await fetch(`${service.api}/v1/uploads`, {
      method: 'POST',
      headers,
      body: String(seen.body),
    });
    json(response, 201, { ...(await begun.json()), api: service.api });
    return true;
  };
  return { begin: `${service.api}/begin`, keys };
}

test('an application’s own server begins at its own address, and says where the service is', async () => {
  const { begin } = application();
  const record = await createClient().upload(jpeg(), { begin }).done;
  assert.deepEqual([record.state, record.filename], ['ready', 'photo.jpg']);
  assert.deepEqual(service.asked(/profiles/), []);
});

test('a profile that is known is checked before the application’s server is asked', async () => {
  const { begin, keys } = application();
  const { upload } = createClient({ api: service.api });
  const error = await failure(upload(jpeg(1001), { begin, profile: 'post' }).done);
  assert.deepEqual([error.code, keys], ['file_too_large', []]);
});

test('an application’s own function may begin', async () => {
  const { upload } = createClient({ api: service.api, retryDelays: [] });
  const record = await upload(jpeg(), {
    begin: async (request, { signal, idempotencyKey }) => {
      const headers = { authorization: 'Bearer llu_user', 'idempotency-key': idempotencyKey };
      const init = { method: 'POST', headers, body: JSON.stringify(request), signal };
      return (await fetch(`${service.api}/v1/uploads`, init)).json();
    },
  }).done;
  assert.equal(record.state, 'ready');
});

test('what the application’s server says against it is a sentence', async () => {
  const answers = [
    { status: 403, body: { error: 'sign in first' }, says: ['refused', 'Sign in first.'] },
    { status: 422, body: { message: 'Not on Sundays!' }, says: ['refused', 'Not on Sundays!'] },
    { status: 400, body: { detail: 'no `size`' }, says: ['refused', 'No “size”.'] },
    {
      status: 404,
      body: ['?'],
      says: ['unexpected_answer', 'The server’s answer (404) is not one of Loadlock’s.'],
    },
    {
      status: 200,
      body: { ok: true },
      says: ['unexpected_answer', 'The server’s answer is not one of Loadlock’s.'],
    },
    {
      status: 403,
      body: { error: { code: 'quota_exceeded', message: 'the quota is used up', retryable: false } },
      says: ['quota_exceeded', 'The quota is used up.'],
    },
  ];
  for (const { status, body, says } of answers) {
    const { begin } = application((_, response) => {
      json(response, status, body);
      return true;
    });
    const error = await failure(createClient().upload(jpeg(), { begin }).done);
    assert.deepEqual([error.code, error.message.replaceAll("'", '’')], says);
  }
});

test('an error that an application’s function gives instead of an upload is that error', async () => {
  const body = { error: { code: 'type_not_allowed', message: 'no such type', retryable: false } };
  const begin = async () => /** @type {any} */ (body);
  const error = await failure(createClient().upload(jpeg(), { begin }).done);
  assert.deepEqual([error.code, error.message], ['type_not_allowed', 'No such type.']);
});

test('a checksum that the profile demands is said at begin, and the same again', async () => {
  service.rules = { checksum: 'any' };
  cutOff(/POST \/v1\/uploads$/);
  await client().upload(jpeg(5), { profile: 'image' }).done;
  const begins = service.seen.filter(({ method, path }) => `${method} ${path}` === 'POST /v1/uploads');
  const bodies = begins.map(({ body }) => body.toString());
  assert.equal(bodies.length, 2);
  assert.equal(bodies[0], bodies[1]);
  const { checksum, method } = JSON.parse(bodies[0] ?? '');
  const value = createHash('sha256')
    .update(Uint8Array.of(0, 1, 2, 3, 4))
    .digest('base64');
  assert.deepEqual([checksum, method], [{ algorithm: 'sha256', value }, 'put']);
});

test('begins of one upload carry one key, and those of another another', async () => {
  let troubles = 2;
  const { begin, keys } = application((_, response) => {
    if (troubles-- > 0) response.destroy();
    return troubles >= 0;
  });
  const { upload } = createClient({ retryDelays: [1, 1, 1] });
  await upload(jpeg(), { begin }).done;
  await upload(jpeg(), { begin }).done;
  assert.equal(keys.length, 4);
  assert.match(String(keys[0]), /^[!-~]{16,255}$/);
  assert.deepEqual([keys[1], keys[2]], [keys[0], keys[0]]);
  assert.notEqual(keys[3], keys[0]);
});

test('an upload that has been left behind is begun anew under another key', async () => {
  /** @type {unknown[]} */
  const keys = [];
  service.meddle = ({ path, headers }, response) => {
    if (path === '/v1/uploads') keys.push(headers['idempotency-key']);
    if (!path.endsWith('/complete') || keys.length === 2) return false;
    refuse(response, 422, 'rejected');
    return true;
  };
  const upload = client().upload(jpeg(), { profile: 'post' });
  await failure(upload.done);
  upload.retry();
  await upload.done;
  assert.equal(new Set(keys).size, 2);
});

test('an upload that the service completed while the client was away is not sent again', async () => {
  const upload = client({ partsAtOnce: 2 }).upload(jpeg(40), { profile: 'post', method: 'multipart' });
  service.meddle = ({ method, path }) => {
    if (method === 'PUT' && path.includes('/4?')) upload.pause();
    return false;
  };
  await until(upload, 'paused');
  const kept = service.uploads.get('U1');
  assert.ok(kept);
  kept.object = Buffer.alloc(40);
  kept.state = 'ready';
  const before = service.seen.length;
  upload.resume();
  assert.deepEqual([(await upload.done).id, upload.state], ['U1', 'ready']);
  assert.deepEqual(
    service.seen.slice(before).map(({ path }) => path),
    ['/v1/uploads/U1/parts', '/v1/uploads/U1/complete'],
  );
});

test('a token is asked for at each begin', async () => {
  let asked = 0;
  const { upload } = client({
    token: async () => {
      asked++;
      return 'llu_user';
    },
  });
  await Promise.all([upload(jpeg(), { profile: 'post' }).done, upload(jpeg(), { profile: 'post' }).done]);
  assert.equal(asked, 2);
});
