/** The page without a mouse, without eyes, in the dark, on a small screen. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Loadlock } from './loadlock.js';
import { Media } from './media.js';
import { launch, Page, violations } from './page.js';

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

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing serious in the ${colorScheme}`, async () => {
    const page = await Page.open(browser, loadlock, { colorScheme, reducedMotion: 'reduce' });
    assert.deepEqual(await violations(page.tab), []);
    await page.choose(
      media.photo('森の写真.jpg'),
      await media.text('notes.txt', 'hello'),
      await media.largeVideo('the whole walk.mp4'),
    );
    await page.says('森の写真.jpg', 'Ready to publish');
    await page.sent('the whole walk.mp4', 0.02);
    await page.press('Pause', 'the whole walk.mp4');
    await page.says('the whole walk.mp4', 'Paused');
    assert.deepEqual(await violations(page.tab), []);
    await page.screenshot(`at-work-${colorScheme}`);
    await page.press('Cancel', 'the whole walk.mp4');
    await page.publish(`In the ${colorScheme}`);
    assert.deepEqual(await violations(page.tab), []);
    await page.screenshot(`published-${colorScheme}`);
    await page.close();
  });
}

test('an entry is published by the keyboard alone', async () => {
  const page = await Page.open(browser, loadlock);
  const { keyboard } = page.tab;
  const focused = () =>
    page.tab.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.id);
  const tabTo = async (name) => {
    for (let presses = 0; presses < 15 && (await focused()) !== name; presses++) await keyboard.press('Tab');
    assert.equal(await focused(), name);
  };
  const choosing = page.tab.waitForEvent('filechooser');
  await tabTo('title');
  await keyboard.type('By hand');
  await tabTo('files');
  await keyboard.press('Space');
  await (await choosing).setFiles([media.photo('one.jpg'), media.photo('two.jpg')]);
  await page.says('one.jpg', 'Ready to publish');
  await page.says('two.jpg', 'Ready to publish');
  await tabTo('Remove one.jpg');
  await keyboard.press('Enter');
  await page.row('one.jpg').waitFor({ state: 'detached' });
  assert.equal(await focused(), 'Remove two.jpg', 'the focus stays in the list');
  await tabTo('publish');
  await keyboard.press('Enter');
  const entry = await page.entry('By hand');
  const heading = entry.getByRole('heading');
  assert.ok(
    await heading.evaluate((element) => element === document.activeElement),
    'the entry has the focus',
  );
  await page.close();
});

test('a pause is resumed by the key that paused', async () => {
  const page = await Page.open(browser, loadlock);
  await page.choose(await media.largeVideo('the whole walk.mp4'));
  await page.sent('the whole walk.mp4', 0.01);
  await page.tab.getByRole('button', { name: 'Pause the whole walk.mp4' }).focus();
  await page.tab.keyboard.press('Enter');
  await page.says('the whole walk.mp4', 'Paused');
  await page.tab.keyboard.press('Enter');
  await page.says('the whole walk.mp4', 'Uploading');
  await page.press('Cancel', 'the whole walk.mp4');
  await page.close();
});

test('what happens to a file is announced', async () => {
  const page = await Page.open(browser, loadlock);
  const announcement = page.tab.getByRole('status');
  await page.choose(media.photo('heard.jpg'), await media.text('notes.txt', 'hello'));
  await announcement.getByText('“notes.txt” is a plain text file').waitFor();
  await page.choose(media.photo('heard too.jpg'));
  await announcement.getByText('heard too.jpg is ready to publish.').waitFor();
  const bar = page.tab.getByRole('progressbar', { name: 'Upload of' });
  await page.choose(await media.largeVideo('the whole walk.mp4'));
  await bar.first().waitFor();
  assert.equal(await bar.first().getAttribute('aria-label'), 'Upload of the whole walk.mp4');
  await page.press('Cancel', 'the whole walk.mp4');
  await page.close();
});

for (const width of [320, 360]) {
  test(`at ${width} pixels nothing is cut off`, async () => {
    const page = await Page.open(browser, loadlock, {
      viewport: { width, height: 740 },
      colorScheme: 'dark',
    });
    await page.choose(
      media.photo(`${'a long name without end '.repeat(8)}.jpg`),
      await media.text('notes.txt', 'x'),
    );
    await page.says('a long name', 'Ready to publish');
    assert.equal(await page.tab.evaluate(() => document.documentElement.scrollWidth), width);
    await page.screenshot(`narrow-${width}`);
    await page.close();
  });
}
