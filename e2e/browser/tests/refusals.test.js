/** What is refused: by the page before a byte is sent, and by the server when the page is bypassed. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Loadlock } from './loadlock.js';
import { Media } from './media.js';
import { launch, Page } from './page.js';

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

/** The page that was told of a profile without rules: its own checks let everything pass. */
const openWithoutChecks = () =>
  Page.open(browser, loadlock, {
    before: (tab) =>
      tab.route(`${loadlock.api}/v1/profiles/post`, async (route) => {
        const response = await route.fetch();
        const json = {
          ...(await response.json()),
          types: ['*/*'],
          min_size: 0,
          max_size: Number.MAX_SAFE_INTEGER,
        };
        await route.fulfill({ response, json });
      }),
  });

const begins = (page) => page.requests.filter((line) => line === `POST ${loadlock.api}/v1/uploads`).length;

test('an empty file, a wrong type and an oversized file are refused before a byte is sent', async () => {
  const page = await Page.open(browser, loadlock);
  await page.choose(
    await media.text('empty.jpg', ''),
    await media.text('notes.txt', 'hello'),
    await media.tooLarge('the whole year.mp4'),
  );
  await page.says('empty.jpg', '“empty.jpg” is empty: it has no bytes to upload.');
  await page.says('notes.txt', /^“notes.txt” is a plain text file; taken here are JPEG, .+ and QuickTime\.$/);
  await page.says(
    'the whole year.mp4',
    '“the whole year.mp4” is 5.1 GiB; the largest file taken here is 5 GiB.',
  );
  assert.equal(begins(page), 0);
  await page.screenshot('refused');
  await page.press('Remove', 'notes.txt');
  await page.row('notes.txt').waitFor({ state: 'detached' });
  await page.close();
});

test('past the page’s checks, the server refuses in a sentence next to the file', async () => {
  const page = await openWithoutChecks();
  await page.choose(
    await media.text('empty.jpg', ''),
    await media.text('notes.txt', 'hello'),
    await media.tooLarge('the whole year.mp4'),
  );
  await page.says('empty.jpg', '“empty.jpg” is 0 bytes; this profile takes at least 1 byte.');
  await page.says('notes.txt', /^“notes.txt” is text\/plain; this profile takes image\/jpeg, .+\.$/);
  await page.says('the whole year.mp4', '“the whole year.mp4” is 5.1 GiB; this profile takes at most 5 GiB.');
  assert.equal(begins(page), 3);
  assert.deepEqual(
    page.requests.filter((line) => line.startsWith('PUT ')),
    [],
  );
  await page.screenshot('refused-by-the-server');
  await page.close({ refusals: true });
});

test('a text that calls itself a photo is refused once the server has looked inside', async () => {
  const page = await Page.open(browser, loadlock);
  await page.choose(await media.text('holiday.jpg', 'this is no photo at all'));
  await page.says('holiday.jpg', 'Not added');
  const sentence = await page.row('holiday.jpg').locator('.trouble').textContent();
  assert.match(sentence, /^[A-Z“].+image\/jpeg.*\.$/);
  await page.screenshot('rejected');
  await page.close({ refusals: true });
});

test('an entry without a title is not published, and the page says why beside the field', async () => {
  const page = await Page.open(browser, loadlock);
  await page.tab.locator('#publish').click();
  await page.tab.getByText('An entry needs a title.').waitFor();
  assert.equal(await page.tab.getByLabel('Title').getAttribute('aria-invalid'), 'true');
  assert.ok(await page.tab.getByLabel('Title').evaluate((field) => field === document.activeElement));
  await page.close();
});

test('a file that was given up elsewhere cannot be published, and the page says which', async () => {
  const page = await Page.open(browser, loadlock);
  await page.choose(media.photo('lost.jpg'));
  await page.says('lost.jpg', 'Ready to publish');
  const [{ id, token }] = page.begun;
  await loadlock.ask(`/v1/uploads/${id}`, { method: 'DELETE', token });
  await page.tab.getByLabel('Title').fill('Too late');
  await page.tab.locator('#publish').click();
  await page.says('lost.jpg', 'It is aborted and cannot be published. Remove it, and add it again.');
  await page.tab.getByText('Nothing was published: look at the files above.').waitFor();
  await page.screenshot('given-up');
  await page.close({ refusals: true });
});

test('more files than an entry takes are left out, and the page says so', async () => {
  const photo = media.photo('one of many.jpg');
  const page = await Page.open(browser, loadlock);
  await page.choose(...Array.from({ length: 22 }, () => photo));
  await page.tab.getByText('An entry takes 20 files; 2 more were left out.').waitFor();
  assert.equal(await page.row('one of many.jpg').count(), 20);
  await page.close();
});

test('a publication that waits for its uploads stops when one of them is refused', async () => {
  const page = await Page.open(browser, loadlock);
  await page.choose(await media.largeVideo('the whole walk.mp4'));
  await page.tab.getByLabel('Title').fill('Incomplete');
  await page.tab.getByRole('button', { name: 'Publish when uploads finish' }).click();
  await page.tab.getByText('This will be published when its uploads finish.').waitFor();
  await page.choose(await media.text('holiday.jpg', 'this is no photo at all'));
  await page.tab.getByText('1 file did not make it. Look at the list, then publish.').waitFor();
  await page.says('the whole walk.mp4', 'Ready to publish');
  assert.equal(await page.tab.getByRole('article').count(), 0);
  await page.publish('Without it');
  await page.close({ refusals: true });
});
