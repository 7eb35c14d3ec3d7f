/** A video of 1 GiB: in parts, paused, cancelled, and through the death of the store. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Loadlock } from './loadlock.js';
import { Media } from './media.js';
import { launch, Page } from './page.js';

const PARTS = 128;

let loadlock;
let browser;
let media;
let video;

before(async () => {
  media = new Media(await mkdtemp(join(tmpdir(), 'loadlock-media-')));
  video = await media.largeVideo('the whole walk.mp4');
  [loadlock, browser] = await Promise.all([Loadlock.start(), launch()]);
});
after(async () => {
  await browser?.close();
  await loadlock?.stop();
  await rm(media.directory, { recursive: true });
});

async function sha256(stream) {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

/** The numbers of the parts that the store holds. */
async function heldParts({ id, token }) {
  const { held } = await loadlock.ask(`/v1/uploads/${id}/parts`, {
    method: 'POST',
    token,
    body: { parts: [] },
  });
  return new Set(held.map(({ number }) => number));
}

function assertNoneSentAgain(page, held, since) {
  const again = page.partsSent(since);
  assert.ok(again.length > 0 && again.length < PARTS, `${again.length} parts`);
  assert.deepEqual(
    again.filter((number) => held.has(number)),
    [],
  );
}

test('it is paused and resumed, and parts that the store holds are not sent again', async () => {
  const page = await Page.open(browser, loadlock);
  await page.choose(video);
  await page.sent('the whole walk.mp4', 0.2);
  await page.says('the whole walk.mp4', /MiB\sof\s1\sGiB · .+\/s · .+\sleft/);
  await page.screenshot('uploading');
  await page.press('Pause', 'the whole walk.mp4');
  await page.says('the whole walk.mp4', 'Paused');
  await page.screenshot('paused');
  const held = await heldParts(page.begun[0]);
  assert.ok(held.size > 10, `${held.size} parts held`);
  const since = page.requests.length;
  await page.press('Resume', 'the whole walk.mp4');
  const entry = await page.publish('The whole walk');
  assertNoneSentAgain(page, held, since);
  assert.equal(page.begun.length, 1);
  const player = entry.locator('video');
  const seconds = await player.evaluate(async (video) => {
    if (video.readyState === 0)
      await new Promise((resolve) => video.addEventListener('loadedmetadata', resolve));
    return video.duration;
  });
  assert.ok(Math.abs(seconds - 2) < 0.2, `${seconds}`);
  const { body } = await fetch(await player.getAttribute('src'));
  assert.equal(await sha256(body), await sha256(createReadStream(video)));
  await page.close();
});

test('cancelled, it is gone from the page and aborted at the service', async () => {
  const page = await Page.open(browser, loadlock);
  await page.choose(video);
  await page.sent('the whole walk.mp4', 0.05);
  const aborted = page.tab.waitForResponse((response) => response.request().method() === 'DELETE');
  await page.press('Cancel', 'the whole walk.mp4');
  await page.row('the whole walk.mp4').waitFor({ state: 'detached' });
  assert.equal((await (await aborted).json()).state, 'aborted');
  const [{ id, token }] = page.begun;
  assert.equal((await loadlock.ask(`/v1/uploads/${id}`, { token })).state, 'aborted');
  await page.close();
});

test('when everything dies and comes back, a retry goes on from what the store holds', async () => {
  const page = await Page.open(browser, loadlock);
  await page.choose(video);
  await page.sent('the whole walk.mp4', 0.3);
  await loadlock.kill();
  await page.says('the whole walk.mp4', 'Failed');
  await page.says('the whole walk.mp4', 'cannot be reached');
  await page.screenshot('failed');
  await loadlock.restart();
  const held = await heldParts(page.begun[0]);
  assert.ok(held.size > 10, `${held.size} parts held`);
  const since = page.requests.length;
  await page.press('Retry', 'the whole walk.mp4');
  await page.says('the whole walk.mp4', 'Ready to publish');
  assertNoneSentAgain(page, held, since);
  await page.publish('After the storm');
  await page.close({ refusals: true });
});
