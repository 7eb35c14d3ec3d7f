/** Both kinds of tokens of an Amazon Cognito user pool, and those it did not make for this service. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cognito } from './cognito.js';
import { Service } from './service.js';

let cognito;
let app;
let sub;
const services = [];

// `cognito-local` says in its discovery document that it is elsewhere, so its keys are named.
const issuers = (more = '') => `[[issuers]]
issuer = "${cognito.issuer}"
jwks_url = "${cognito.issuer}/.well-known/jwks.json"
client_ids = ["${app}"]
${more}`;

async function start(more) {
  const service = await Service.start(issuers(more));
  services.push(service);
  return service;
}

before(async () => {
  cognito = await Cognito.start();
  app = await cognito.client('app');
  sub = await cognito.user('ada@example.com');
});
after(async () => {
  for (const service of services) await service.stop();
  await cognito?.stop();
});

test('access and ID tokens speak for the same user', async () => {
  const service = await start();
  const { AccessToken, IdToken, RefreshToken } = await cognito.signIn(app, 'ada@example.com');
  assert.equal(await service.owner(AccessToken), sub);
  assert.equal(await service.owner(IdToken), sub);
  assert.equal((await service.ask(RefreshToken)).status, 401);
});

test('tokens of another app client are refused', async () => {
  const [service] = services;
  const another = await cognito.client('another');
  const { AccessToken, IdToken } = await cognito.signIn(another, 'ada@example.com');
  for (const token of [AccessToken, IdToken]) assert.equal((await service.ask(token)).status, 401);
});

test('a token of another use is refused', async () => {
  const service = await start('token_use = ["access"]');
  const { AccessToken, IdToken } = await cognito.signIn(app, 'ada@example.com');
  assert.equal((await service.ask(AccessToken)).status, 200);
  assert.equal((await service.ask(IdToken)).status, 401);
});
