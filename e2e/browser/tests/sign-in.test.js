/** The page's sign-in: its user's token ends after an hour, and the page stays open for longer. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Loadlock } from './loadlock.js';
import { Media } from './media.js';
import { launch, Page } from './page.js';

/** A token of this service that has run out: taken apart as any other, and void. */
const ENDED = 'llu_AAAAAAAAAABkZW1vAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

let loadlock;
let browser;
let media;

before(async () => {
  media = new Media(await mkdtemp(join(tmpdir(), 'loadlock-media-')));
  [loadlock, browser] = await Promise.all([Loadlock.start(), launch()]);
});
after(async () => {
  await browser?.close();
  await loadlock?.stop();
  await rm(media.directory, { recursive: true });
});

/** A page whose sessions hold a token that has run out, as long as this says so; and the tokens it was given. */
async function openFor(hasEnded) {
  const given = [];
  const page = await Page.open(browser, loadlock, {
    before: (tab) =>
      tab.route(`${new URL(loadlock.page).origin}/demo/session`, async (route) => {
        const response = await route.fetch();
        const session = await response.json();
        if (hasEnded(given.length)) session.token = ENDED;
        given.push(session.token);
        await route.fulfill({ response, json: session });
      }),
  });
  return { page, given };
}

test('a page that was open for longer than its token lives goes on with a fresh one', async () => {
  const { page, given } = await openFor((times) => times === 0);
  assert.deepEqual(given, [ENDED]);
  const begin = page.tab.waitForRequest(
    (request) => request.method() === 'POST' && request.url() === `${loadlock.api}/v1/uploads`,
  );
  await page.choose(media.photo('late.jpg'));
  const { authorization } = await (await begin).allHeaders();
  assert.equal(authorization, `Bearer ${given[1]}`);
  await page.says('late.jpg', 'Ready to publish');
  await page.publish('After lunch');
  await page.close();
});

test('a sign-in that has ended is told to the person, and a fresh one goes on', async () => {
  let ended = true;
  const { page } = await openFor(() => ended);
  await page.choose(media.photo('early.jpg'));
  await page.says('early.jpg', /sign in/i);
  await page.screenshot('signed-out');
  ended = false;
  await page.press('Remove', 'early.jpg');
  await page.choose(media.photo('early.jpg'));
  await page.says('early.jpg', 'Ready to publish');
  await page.close({ refusals: true });
});
