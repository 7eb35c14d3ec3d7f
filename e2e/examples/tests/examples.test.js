/** Each example as it stands, in Chromium, with and without JavaScript. */

import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Media } from '../../browser/tests/media.js';
import { launch, violations } from '../../browser/tests/page.js';
import { Application, loadlockToTest } from './application.js';
import { Board } from './board.js';

let loadlock;
let browser;
let media;
let scratch;

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'loadlock-examples-'));
  media = new Media(scratch);
  [loadlock, browser] = await Promise.all([loadlockToTest(), launch()]);
});
after(async () => {
  await browser?.close();
  await loadlock?.stop();
  await rm(scratch, { recursive: true });
});

for (const name of ['express', 'fastapi'])
  describe(name, () => {
    let application;
    const open = (options) => Board.open(browser, application, options);

    before(async () => {
      application = await Application.start(name, loadlock, scratch);
    });
    after(() => application?.stop());

    test('a photo goes straight to the store, is published with a title, and stays', async () => {
      const photo = media.photo('harbour at dusk.jpg');
      const board = await open({ user: 'Ada' });
      await board.title('At the pier');
      await board.choose(photo, media.video('waves.mp4'));
      await board.row('harbour at dusk.jpg').getByText('ready').waitFor();
      await board.row('waves.mp4').getByText('ready').waitFor();
      for (const bar of await board.tab.getByRole('progressbar').all())
        assert.equal(await bar.evaluate((b) => b.value), 1);
      await board.screenshot(`${name}-ready`);
      await board.press('Publish');
      assert.deepEqual(await board.widths('At the pier'), [1600]);
      assert.equal(await board.entry('At the pier').locator('video').count(), 1);
      const address = await board.entry('At the pier').getByRole('img').getAttribute('src');
      assert.ok(address.startsWith(`${loadlock.api}/f/`), address);
      const { size } = await stat(photo);
      for (const server of [board.address, loadlock.api])
        assert.ok((await board.bytesSentTo(server)) < size / 10);
      await application.restart();
      await board.tab.goto(board.address);
      assert.deepEqual(await board.widths('At the pier'), [1600]);
      await board.screenshot(`${name}-published`);
      assert.deepEqual(await violations(board.tab), []);
      await board.close();
    });

    test('progress is shown while a file is on its way', async () => {
      const board = await open({ user: 'Ada' });
      const session = await board.context.newCDPSession(board.tab);
      await session.send('Network.enable');
      const slow = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 4 * 2 ** 20 };
      await session.send('Network.emulateNetworkConditions', slow);
      await board.choose(await media.largeVideo('long walk.mp4', 12 * 2 ** 20));
      const bar = await board.tab.getByRole('progressbar', { name: 'long walk.mp4' }).elementHandle();
      await board.tab.waitForFunction((bar) => bar.value > 0.1 && bar.value < 0.9, bar);
      await board.screenshot(`${name}-sending`);
      await board.row('long walk.mp4').getByText('ready').waitFor();
      await board.close();
    });

    test('a file that is not taken says so in its row, and nothing is published', async () => {
      const board = await open({ user: 'Ada' });
      await board.title('Notes');
      await board.choose(await media.text('notes.txt', 'not a photo'));
      await board.row('notes.txt').getByText('text/plain').waitFor();
      await board.press('Publish');
      await board.tab.getByRole('button', { name: 'Publish', disabled: false }).waitFor();
      await board.screenshot(`${name}-refused`);
      assert.deepEqual(await violations(board.tab), []);
      assert.equal(await board.entry('Notes').count(), 0);
      await board.close({ refusals: true });
    });

    test('a file under a false name is refused by inspection', async () => {
      const board = await open({ user: 'Ada' });
      await board.title('A trick');
      await board.choose(await media.text('trick.jpg', '<script>alert(1)</script>'));
      await board.row('trick.jpg').getByText('announced as image/jpeg and is text/html').waitFor();
      await board.close({ refusals: true });
    });

    test("what is another's can be neither claimed nor guessed", async () => {
      const ada = await open({ user: 'Ada' });
      await ada.title('Mine');
      const begun = ada.tab.waitForResponse((response) => response.url().endsWith('/uploads'));
      await ada.choose(media.photo('mine.jpg'));
      const { id } = await (await begun).json();
      await ada.row('mine.jpg').getByText('ready').waitFor();
      const eve = await open({ user: 'Eve' });
      const theft = await eve.context.request.post(`${eve.address}entries`, {
        form: { title: 'Stolen', upload: id },
      });
      assert.equal(theft.status(), 404);
      assert.ok((await theft.text()).includes('role="alert"'));
      await eve.tab.reload();
      assert.equal(await eve.entry('Stolen').count(), 0);
      await ada.press('Publish');
      assert.deepEqual(await ada.widths('Mine'), [1600]);
      await eve.close();
      await ada.close();
    });

    test('nothing begins or is published for those who are not signed in', async () => {
      const board = await open();
      const wish = { filename: 'a.jpg', content_type: 'image/jpeg', size: 1 };
      const begin = await board.context.request.post(`${board.address}uploads`, { data: wish });
      assert.deepEqual([begin.status(), await begin.json()], [401, { error: 'sign in first' }]);
      const publish = await board.context.request.post(`${board.address}entries`, {
        form: { title: 'x', upload: 'x' },
      });
      assert.equal(publish.status(), 401);
      await board.close();
    });

    test("another site's form is not taken for the user's own", async () => {
      const board = await open({ user: 'Ada' });
      const [session] = await board.context.cookies();
      assert.deepEqual([session.httpOnly, session.sameSite], [true, 'Lax']);
      const form = `<form method="post" action="${board.address}entries"><input name="title" value="Forged">
      <input name="upload" value="x"><button>Win</button></form>`;
      const site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(form));
      await new Promise((resolve) => site.listen(0, 'localhost', resolve));
      await board.tab.goto(`http://localhost:${site.address().port}/`);
      const answer = board.tab.waitForResponse(`${board.address}entries`);
      await board.press('Win');
      assert.equal((await answer).status(), 401);
      site.close();
      await board.close({ refusals: true });
    });

    test('what people write is shown and not run', async () => {
      const title = `<img src=x onerror="document.title='run'"> & "quotes"`;
      const board = await open({ user: '<b>Bob</b>' });
      await board.title(title);
      await board.choose(media.photo(`"><i>a'b.jpg`));
      await board.press('Publish');
      assert.deepEqual(await board.widths(title), [1600]);
      await board.entry(title).getByText('by <b>Bob</b>').waitFor();
      assert.equal(await board.entry(title).getByRole('img').getAttribute('alt'), `"><i>a'b.jpg`);
      assert.equal(await board.tab.title(), 'Pinboard');
      await board.close();
    });

    test('without JavaScript: plain forms send two photos and publish them', async () => {
      const board = await open({ user: 'Grace', javaScriptEnabled: false });
      await board.title('By hand & by form');
      await board.press('Add a photo');
      await board.screenshot(`${name}-plain-form`);
      await board.tab.goBack();
      await board.title('By hand & by form');
      await board.sendPlain(media.photo('one.jpg'));
      await board.sendPlain(media.photo('two.jpg', 'c0=#16425b:c1=#e9b872:c2=#2f6690:n=3'));
      await board.tab.getByText('Files that have arrived: 2').waitFor();
      assert.equal(await board.tab.getByLabel('Title').inputValue(), 'By hand & by form');
      await board.screenshot(`${name}-plain-back`);
      await board.press('Publish');
      assert.deepEqual(await board.widths('By hand & by form'), [1600, 1600]);
      await board.close();
    });

    test('without JavaScript: a file that is refused brings the person back with the reason', async () => {
      const board = await open({ user: 'Grace', javaScriptEnabled: false });
      await board.title('A trick');
      await board.sendPlain(await media.text('trick.jpg', 'no photo at all'));
      await board.tab.getByRole('alert').getByText('The last file was not taken').waitFor();
      assert.equal(await board.tab.getByLabel('Title').inputValue(), 'A trick');
      assert.equal(await board.tab.locator('[name=upload]').count(), 0);
      await board.close();
    });

    test('the page holds in the dark and on a phone', async () => {
      const options = { colorScheme: 'dark', viewport: { width: 360, height: 700 }, isMobile: true };
      const board = await open({ user: 'Ada', ...options });
      await board.title('A title');
      await board.choose(media.photo(`${'a very long name '.repeat(8)}.jpg`));
      await board.tab.getByText('ready').waitFor();
      await board.screenshot(`${name}-dark-narrow`);
      assert.deepEqual(await violations(board.tab), []);
      const width = await board.tab.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 360, `${width}`);
      await board.close();
    });
  });
