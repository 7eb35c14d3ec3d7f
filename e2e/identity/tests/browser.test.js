/** A person signs in at an OpenID provider in Chromium, and the page uploads in their name. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { Oidc, UPLOADS } from './oidc.js';
import { Service } from './service.js';

const FLAGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking'.split(' ');
const PAGE = new URL('../page/', import.meta.url);
const CLIENT = new URL('../../../client/src/', import.meta.url);
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

let site;
let oidc;
let service;
let browser;

/** The page's own server: files, and where the others are. */
async function serve({ url }, response) {
  const { pathname } = new URL(url, 'http://page.test');
  if (pathname === '/settings.json') {
    const settings = { api: service.api, issuer: oidc.issuer, client_id: 'page', resource: UPLOADS };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(settings));
    return;
  }
  const [, script] = /^\/client\/([a-z]+\.js)$/.exec(pathname) ?? [];
  const file = script
    ? new URL(script, CLIENT)
    : new URL(pathname === '/page.js' ? 'page.js' : 'index.html', PAGE);
  response.setHeader('content-type', file.pathname.endsWith('.js') ? 'text/javascript' : 'text/html');
  response.end(await readFile(fileURLToPath(file)));
}

before(async () => {
  site = createServer(serve).listen(0, '127.0.0.1');
  await once(site, 'listening');
  const origin = `http://127.0.0.1:${site.address().port}`;
  oidc = await Oidc.start(`${origin}/`);
  const issuers = `[[issuers]]
issuer = "${oidc.issuer}"
audience = ["${UPLOADS}"]
owner_prefix = "oidc:"
`;
  service = await Service.start(issuers, origin);
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: FLAGS,
  });
});
after(async () => {
  await browser?.close();
  await service?.stop();
  await oidc?.stop();
  site?.close();
});

test('who signs in with code and PKCE uploads in their own name', async () => {
  const context = await browser.newContext();
  // The provider's pages ask for a font from afar.
  await context.route('https://fonts.googleapis.com/**', (route) => route.abort());
  const tab = await context.newPage();
  const errors = [];
  tab.on('pageerror', (error) => errors.push(String(error)));
  await tab.goto(oidc.page);
  await tab.getByRole('button', { name: 'Sign in' }).click();
  await tab.getByPlaceholder('Enter any login').fill('ada');
  await tab.getByPlaceholder('and password').fill('any');
  await tab.getByRole('button', { name: 'Sign-in' }).click();
  await tab.getByRole('button', { name: 'Continue' }).click();
  await tab.getByText('signed in').waitFor();
  await tab.setInputFiles('#photo', { name: 'pixel.png', mimeType: 'image/png', buffer: PIXEL });
  await tab.getByText('stored for oidc:ada').waitFor();
  await tab.waitForFunction(() => document.getElementById('stored').naturalWidth === 1);
  assert.deepEqual(errors, []);
  await context.close();
});
