/** From a file on a person's disk to a published entry. */

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Loadlock } from './loadlock.js';
import { Media } from './media.js';
import { launch, naturalWidth, Page } from './page.js';

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

test('a photo is published and shown from its stable address, and is still there after a reload', async () => {
  const photo = media.photo('harbour at dusk.jpg');
  const page = await Page.open(browser, loadlock);
  await page.screenshot('empty');
  await page.choose(photo);
  await page.says('harbour at dusk.jpg', 'Ready to publish');
  const entry = await page.publish('A weekend by the water');
  const image = entry.getByRole('img', { name: 'harbour at dusk.jpg' });
  assert.equal(await naturalWidth(image), 1600);
  const address = await image.getAttribute('src');
  assert.match(address, new RegExp(`^${loadlock.api}/f/${page.begun[0].id}$`));
  const served = Buffer.from(await (await fetch(address)).arrayBuffer());
  assert.ok(served.equals(await readFile(photo)));
  await page.screenshot('published');
  await page.tab.reload();
  await page.entry('A weekend by the water');
  await page.close();
});

test('a file goes from the browser to the store, and no byte of it through the API', async () => {
  const page = await Page.open(browser, loadlock);
  await page.choose(media.photo('direct.jpg'));
  await page.says('direct.jpg', 'Ready to publish');
  const puts = page.requests.filter((line) => line.startsWith('PUT '));
  assert.equal(puts.length, 1);
  assert.ok(puts[0].startsWith(`PUT ${loadlock.s3}/`), puts[0]);
  await page.close();
});

test('names in Japanese and Arabic, with emoji, and very long ones arrive as they are', async () => {
  const names = [
    '森の写真 🌸.jpg',
    'صورة من الرحلة.jpg',
    `${'a very long name '.repeat(12)}.jpg`,
    `quote's "and" <b>tags & %41d.jpg`,
  ];
  const page = await Page.open(browser, loadlock);
  await page.choose(...names.map((name) => media.photo(name)));
  for (const name of names) await page.row(name.slice(0, 12)).getByText('Ready to publish').waitFor();
  await page.screenshot('names');
  const entry = await page.publish('名前');
  for (const name of names)
    assert.equal(await naturalWidth(entry.getByRole('img', { name, exact: true })), 1600);
  const { files } = await loadlock.ask('/v1/files');
  assert.deepEqual(
    new Set(files.map(({ filename }) => filename).filter((name) => names.includes(name))),
    new Set(names),
  );
  await page.close();
});

test('several photos and a video are published together while they are still on their way', async () => {
  const names = Array.from({ length: 19 }, (_, i) => `photo ${i + 1}.jpg`);
  const page = await Page.open(browser, loadlock);
  await page.choose(...names.map((name) => media.photo(name)), media.video('walk.mp4'));
  const entry = await page.publish('Twenty at once');
  assert.equal(await entry.getByRole('img').count(), 19);
  const duration = await entry.locator('video').evaluate(async (video) => {
    if (video.readyState === 0)
      await new Promise((resolve) => video.addEventListener('loadedmetadata', resolve));
    return video.duration;
  });
  assert.ok(Math.abs(duration - 2) < 0.2, `${duration}`);
  await page.screenshot('twenty');
  await page.close();
});

test('files that are dropped anywhere on the page are taken', async () => {
  const photo = await readFile(media.photo('dropped.jpg'), 'base64');
  const page = await Page.open(browser, loadlock);
  await page.tab.evaluate((base64) => {
    const raw = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([raw], 'dropped.jpg', { type: 'image/jpeg' }));
    document.body.dispatchEvent(
      new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }),
    );
  }, photo);
  await page.says('dropped.jpg', 'Ready to publish');
  await page.close();
});

test('the page works under any name of this machine', async () => {
  const address = loadlock.page.replace('127.0.0.1', 'localhost');
  const page = await Page.open(browser, loadlock, { address });
  await page.choose(media.photo('by another name.jpg'));
  const entry = await page.publish('By another name');
  assert.equal(await naturalWidth(entry.getByRole('img')), 1600);
  await page.close();
});

test('the client sends a POST form with real progress', async () => {
  const page = await Page.open(browser, loadlock);
  const { state, progress } = await page.tab.evaluate(async () => {
    const { createClient } = await import('/assets/client/index.js');
    const { api, token } = await (await fetch('/demo/session')).json();
    const canvas = Object.assign(document.createElement('canvas'), { width: 2000, height: 2000 });
    const random = crypto.getRandomValues(new Uint8ClampedArray(65536));
    for (let i = 0; i < 60; i++) {
      const noise = new ImageData(random, 128, 128);
      canvas.getContext('2d').putImageData(noise, (i % 10) * 128, Math.floor(i / 10) * 128);
    }
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
    const client = createClient({ api, token });
    const upload = client.upload(blob, { profile: 'image', filename: 'noise.png', method: 'post' });
    const progress = [];
    upload.on('progress', () => progress.push(upload.progress.sent / upload.progress.total));
    const { state } = await upload.done;
    return { state, progress };
  });
  assert.equal(state, 'stored');
  assert.ok(progress.length >= 2 && progress.at(-1) === 1, progress.join());
  assert.equal(page.requests.filter((line) => line.startsWith(`POST ${loadlock.s3}/`)).length, 1);
  await page.close();
});
