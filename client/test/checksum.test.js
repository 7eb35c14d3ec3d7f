/** Checksums, held against Node's own and against published values. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { demanded, Sha256 } from '../src/checksum.js';

const signal = new AbortController().signal;

/**
 * @param {'any' | 'sha256' | undefined} checksum
 * @param {string[]} methods
 */
const profile = (checksum, methods = ['put', 'post', 'multipart']) =>
  /** @type {import('../src/api.js').Profile} */ ({ checksum, methods });

test('nothing is computed that nobody demands', async () => {
  assert.equal(await demanded(new Blob(['x']), profile(undefined), undefined, signal), undefined);
});

test('a file sent whole has its SHA-256', async () => {
  const file = new Blob(['hello']);
  const value = createHash('sha256').update('hello').digest('base64');
  for (const checksum of /** @type {const} */ (['any', 'sha256'])) {
    const found = await demanded(file, profile(checksum), undefined, signal);
    assert.deepEqual(found, { checksum: { algorithm: 'sha256', value }, method: 'put' });
  }
  const form = await demanded(file, profile('any', ['post']), undefined, signal);
  assert.equal(form?.method, 'post');
});

test('a file sent in parts has its CRC-64/NVME', async () => {
  const found = await demanded(new Blob(['123456789']), profile('any'), 'multipart', signal);
  // The check value of the catalogue of parametrised CRC algorithms.
  const value = Buffer.from('ae8b14860a799888', 'hex').toString('base64');
  assert.deepEqual(found, { checksum: { algorithm: 'crc64nvme', value }, method: 'multipart' });
});

test('a SHA-256 made bit by bit is that of the whole', () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7) % 256);
    const hash = new Sha256();
    for (let at = 0; at < length; at += 37) hash.update(bytes.subarray(at, at + 37));
    const expected = createHash('sha256').update(bytes).digest('hex');
    assert.equal(Buffer.from(hash.digest()).toString('hex'), expected, `${length} bytes`);
  }
});

test('a computation stops when the upload does', async () => {
  const stopped = AbortSignal.abort();
  await assert.rejects(demanded(new Blob(['x']), profile('any'), 'multipart', stopped), {
    name: 'AbortError',
  });
});
