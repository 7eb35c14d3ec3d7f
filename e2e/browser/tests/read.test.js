/** Stable addresses where they are put: into `<img src>` and `<video src>`, on pages of another origin. */

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Loadlock } from './loadlock.js';
import { Media } from './media.js';
import { launch } from './page.js';

const TYPES = { image: 'image/jpeg', video: 'video/mp4' };

let loadlock;
let browser;
let media;
let site;

before(async () => {
  media = new Media(await mkdtemp(join(tmpdir(), 'loadlock-media-')));
  site = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end('<!doctype html>'),
  );
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  [loadlock, browser] = await Promise.all([Loadlock.start(), launch()]);
});
after(async () => {
  await browser?.close();
  await loadlock?.stop();
  site.close();
  await rm(media.directory, { recursive: true });
});

/** Sends a file and nothing more: whoever opens its address first completes it. */
async function send(profile, path) {
  const bytes = await readFile(path);
  const body = {
    profile,
    filename: basename(path),
    content_type: TYPES[profile],
    size: bytes.length,
    method: 'put',
  };
  const { id, grant } = await loadlock.ask('/v1/uploads', { method: 'POST', body });
  const { ok } = await fetch(grant.url, { method: 'PUT', headers: grant.headers, body: bytes });
  assert.ok(ok);
  return `${loadlock.api}/f/${id}`;
}

/** A tab on the other site, and how the store answered it. */
async function open() {
  const tab = await (await browser.newContext()).newPage();
  const answers = [];
  tab.on('response', (response) => {
    if (response.url().startsWith(loadlock.s3)) answers.push(response);
  });
  await tab.goto(`http://127.0.0.1:${site.address().port}/`);
  return { tab, answers };
}

test('an <img> shows a photo that nobody has completed yet', async () => {
  const address = await send('image', media.photo('harbour.jpg'));
  const { tab } = await open();
  const width = await tab.evaluate(async (src) => {
    const img = new Image();
    img.src = src;
    await img.decode();
    return img.naturalWidth;
  }, address);
  assert.equal(width, 1600);
  await tab.context().close();
});

test('a page that is opened again asks for a photo no more', async () => {
  const address = await send('image', media.photo('again.jpg'));
  const { tab, answers } = await open();
  const show = (src) => Object.assign(document.body, { innerHTML: `<img src="${src}">` }).firstChild.decode();
  await tab.evaluate(show, address);
  await tab.goto(tab.url());
  await tab.evaluate(show, address);
  const fetched = await Promise.all(
    answers.map(async (answer) => (await answer.request().sizes()).responseBodySize),
  );
  assert.equal(fetched.filter((size) => size > 0).length, 1);
  await tab.context().close();
});

test('a <video> is moved to its middle and plays on, by ranges through the redirect', async () => {
  const address = await send('video', await media.largeVideo('waves.mp4', 24 * 2 ** 20));
  const { tab, answers } = await open();
  const at = await tab.evaluate(async (src) => {
    const video = document.createElement('video');
    const once = (name) =>
      new Promise((resolve, reject) => {
        video.addEventListener(name, resolve, { once: true });
        video.addEventListener('error', () => reject(new Error(video.error.message)), { once: true });
      });
    video.muted = true;
    video.src = src;
    document.body.append(video);
    await once('loadedmetadata');
    const middle = video.duration / 2;
    video.currentTime = middle;
    await once('seeked');
    await video.play();
    while (video.currentTime <= middle + 0.2) await once('timeupdate');
    return video.currentTime - middle;
  }, address);
  assert.ok(at > 0.2);
  assert.ok(answers.length > 0);
  for (const answer of answers) assert.equal(answer.status(), 206);
  await tab.context().close();
});
