/** Keys for a while, in the hands of the AWS SDK in a browser. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { png, Service } from './service.js';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
const { STORE = 'embedded' } = process.env;
/** What moto does not hold: it looks at no signature and at no policy. */
const skip = STORE === 'moto' && 'moto refuses nothing';
const REFUSED = new Set(['403 AccessDenied', '403 Forbidden', '403 403']);

let service;
let browser;
let site;
let tab;
let given;

before(async () => {
  const entry = fileURLToPath(new URL('page.js', import.meta.url));
  const bundle = await build({ entryPoints: [entry], bundle: true, write: false, format: 'iife', logLevel: 'error' });
  const script = bundle.outputFiles[0].text;
  site = createServer((request, response) => {
    const is_script = request.url === '/page.js';
    response.setHeader('content-type', is_script ? 'text/javascript' : 'text/html');
    response.end(is_script ? script : '<!doctype html><meta charset="utf-8"><script src="/page.js"></script>');
  });
  site.listen(Number(process.env.PAGE_PORT ?? 0), '127.0.0.1');
  await once(site, 'listening');
  service = await Service.start();
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
  tab = await browser.newPage();
  await tab.goto(`http://127.0.0.1:${site.address().port}/`);
  given = await service.vend();
});
after(async () => {
  await browser?.close();
  site?.close();
  await service?.stop();
});

const upload = (keys, key, bytes, zeros = 0) =>
  tab.evaluate((all) => window.loadlock.upload(...all), [keys, key, [...bytes], zeros]);
const attempt = (name, input, keys = given) =>
  tab.evaluate(([keys, name, input]) => window.loadlock.attempt(keys, name, input), [keys, name, input]);

test('a file is sent, found and shown', async () => {
  const key = `${given.prefix}a photo+ü.png`;
  const bytes = png(1);
  await upload(given, key, bytes);
  const { uploads } = await service.complete(given.id, [key]);
  assert.deepEqual(
    uploads.map(({ key, state }) => ({ key, state })),
    [{ key, state: 'stored' }],
  );
  assert.deepEqual(await service.bytes(uploads[0].id), bytes);
});

test('a large file is sent in parts', { skip: skip && 'moto shows a page no ETag' }, async () => {
  const key = `${given.prefix}large.png`;
  await upload(given, key, png(2), 11 << 20);
  const { uploads } = await service.complete(given.id, [key]);
  assert.equal(uploads[0].state, 'stored');
  assert.equal((await service.bytes(uploads[0].id)).length, png(2).length + (11 << 20));
});

test('a transfer in parts is given up', async () => {
  const input = { Key: `${given.prefix}given up` };
  const id = await attempt('CreateMultipartUpload', input);
  assert.doesNotMatch(id, /^\d{3} /);
  assert.equal(await attempt('AbortMultipartUpload', { ...input, UploadId: id }), 'ok');
});

test('the keys do nothing else', { skip }, async () => {
  const other = await service.vend();
  const own = `${given.prefix}own.png`;
  assert.equal(await attempt('PutObject', { Key: own, Body: 'x' }), 'ok');
  const attempts = {
    "another's prefix": ['PutObject', { Key: `${other.prefix}a`, Body: 'x' }],
    "a grant's prefix": ['PutObject', { Key: 'in/a', Body: 'x' }],
    'what is held': ['PutObject', { Key: 'held/a', Body: 'x' }],
    delete: ['DeleteObject', { Key: own }],
    copy: ['CopyObject', { Key: `${own}2`, CopySource: `${given.bucket}/${own}` }],
    acl: ['PutObject', { Key: own, Body: 'x', ACL: 'public-read' }],
  };
  // Their answers are none that the bucket's rules let a page see, or plainly refused.
  const hidden = { read: ['GetObject', { Key: own }], list: ['ListObjectsV2', { Prefix: given.prefix }] };
  for (const [what, [name, input]] of Object.entries(attempts)) {
    const answer = await attempt(name, input);
    assert.ok(REFUSED.has(answer), `${what}: ${answer}`);
  }
  for (const [what, [name, input]] of Object.entries(hidden)) {
    assert.notEqual(await attempt(name, input), 'ok', what);
  }
});

test('a bent token is refused', { skip }, async () => {
  const token = given.session_token;
  const bent = { ...given, session_token: `${token.slice(0, 40)}${token[40] === 'A' ? 'B' : 'A'}${token.slice(41)}` };
  const answer = await attempt('PutObject', { Key: `${given.prefix}bent`, Body: 'x' }, bent);
  // Ceph's refusal lacks what would let a page read it.
  if (STORE === 'ceph') assert.equal(answer, 'undefined TypeError');
  else assert.equal(answer, '400 InvalidToken');
});

test('what nobody speaks of is found by itself', { timeout: 240_000 }, async () => {
  const fresh = await service.vend();
  const key = `${fresh.prefix}silent.png`;
  await upload(fresh, key, png(3));
  const stored = await service.awaitFile('silent.png');
  assert.equal(stored.filename, 'silent.png');
});
