/** Access tokens of a certified OpenID provider, taken and refused. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ELSEWHERE, key, Oidc, UPLOADS } from './oidc.js';
import { Service } from './service.js';

let oidc;
let service;

before(async () => {
  oidc = await Oidc.start();
  service = await Service.start(`[[issuers]]
issuer = "${oidc.issuer}"
audience = ["${UPLOADS}"]
owner_prefix = "oidc:"
`);
});
after(async () => {
  await service?.stop();
  await oidc?.stop();
});

/** Asks again until the answer is this one; the test's own time limit ends it. */
async function becomes(status, ask) {
  while ((await ask()).status !== status) await pause(250);
}

test('an access token begins uploads for its subject', async () => {
  assert.equal(await service.owner(await oidc.token()), 'oidc:program');
});

test('an access token for another resource is refused', async () => {
  const { status, body } = await service.ask(await oidc.token(ELSEWHERE));
  assert.deepEqual([status, body.error.code], [401, 'unauthenticated']);
});

test('a token that was changed is refused', async () => {
  const [header, claims, signature] = (await oidc.token()).split('.');
  const changed = { ...JSON.parse(Buffer.from(claims, 'base64url')), sub: 'somebody' };
  const forged = Buffer.from(JSON.stringify(changed)).toString('base64url');
  assert.equal((await service.ask([header, forged, signature].join('.'))).status, 401);
});

test('a key that the provider has changed to is found', async () => {
  await service.ask(await oidc.token());
  oidc.rotate(key('second'));
  const token = await oidc.token();
  await becomes(200, () => service.ask(token));
});

test('the keys known serve while the provider is down', async () => {
  const [known, spare] = [await oidc.token(), await oidc.token()];
  assert.equal((await service.ask(known)).status, 200);
  oidc.rotate(key('third'));
  const unknown = await oidc.token();
  await oidc.stop();
  assert.equal((await service.ask(spare)).status, 200);
  assert.equal((await service.ask(unknown)).status, 401);
  await oidc.resume();
});

test('with no key known a token waits for the provider to come back', async () => {
  const token = await oidc.token();
  await oidc.stop();
  await service.restart();
  const { status, body } = await service.ask(token);
  assert.deepEqual([status, body.error.code, body.error.retryable], [503, 'unavailable', true]);
  await oidc.resume();
  await becomes(200, () => service.ask(token));
});
