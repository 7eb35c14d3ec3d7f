/** The same task with each of them, in Chromium, and then what its grants let a hostile sender do. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Media } from '../../e2e/browser/tests/media.js';
import { launch, naturalWidth } from '../../e2e/browser/tests/page.js';
import { FOUND, VARIANTS } from './facts.js';
import { Sender } from './sender.js';
import { Stack } from './stack.js';

const MIB = 2 ** 20;
let browser;
let media;

before(async () => {
  media = new Media(await mkdtemp(join(tmpdir(), 'loadlock-integration-')));
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await rm(media.directory, { recursive: true });
});

test('the table that is published is the one that is counted', async () => {
  const table = execFileSync(process.execPath, [fileURLToPath(new URL('count.js', import.meta.url))], {
    encoding: 'utf8',
  });
  const published = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  assert.ok(published.includes(table), table);
});

for (const [place, variant] of VARIANTS.entries())
  describe(variant, () => {
    let stack;
    let photo;
    before(async () => {
      stack = await Stack.start(variant);
      photo = await readFile(media.photo('photo.jpg'));
    });
    after(() => stack?.stop());

    test('a signed-in user publishes a photo, which goes straight to the store, with progress', async () => {
      const page = await browser.newPage();
      const sent = [];
      page.on('request', (request) => sent.push(`${request.method()} ${new URL(request.url()).origin}`));
      await page.goto(stack.address);
      await page.getByLabel('Name').fill('ada');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByLabel('Title').fill('At the pier');
      await page.getByLabel('Photo').setInputFiles(media.photo('harbour.jpg'));
      await page.getByRole('button', { name: 'Publish' }).click();
      assert.equal(await naturalWidth(page.getByRole('img', { name: 'At the pier' })), 1600);
      assert.equal(await page.getByRole('progressbar').evaluate(({ value }) => value), 1);
      assert.ok(
        sent.some((line) => line === `PUT ${stack.store.s3}` || line === `POST ${stack.store.s3}`),
        sent.join(),
      );
      await page.reload();
      assert.equal(await naturalWidth(page.getByRole('img', { name: 'At the pier' })), 1600);
      await page.close();
    });

    test('another user’s photo cannot be published as one’s own', async () => {
      const ada = await Sender.signIn(stack, 'ada');
      const grant = await ada.begin({ type: 'image/jpeg', size: photo.length });
      assert.ok((await grant.send(photo)).ok);
      const eve = await Sender.signIn(stack, 'eve');
      assert.equal(await eve.publish(grant), 404);
      assert.equal(await ada.publish(grant), 201);
    });

    const found = {
      'more than 25 MiB is refused by the store': async (sender) => {
        const grant = await sender.begin({ type: 'image/jpeg', size: photo.length });
        const large = Buffer.concat([photo, Buffer.alloc(25 * MIB)]);
        return !(await grant.send(large)).ok;
      },
      'HTML and SVG, which are not allowed, are refused when the page is bypassed': async (sender) => {
        for (const type of ['text/html', 'image/svg+xml']) {
          const grant = await sender.begin({ type, size: 100 });
          if (grant && (await grant.send(Buffer.alloc(100))).ok) return false;
        }
        return true;
      },
      'HTML that calls itself a photo is refused': async (sender) => {
        const html = Buffer.from('<!doctype html><script>alert(document.domain)</script>');
        const grant = await sender.begin({ type: 'image/jpeg', size: html.length });
        assert.ok((await grant.send(html)).ok);
        return (await sender.publish(grant)) !== 201;
      },
      'what was published cannot be replaced by its sender': async (sender) => {
        const grant = await sender.begin({ type: 'image/jpeg', size: photo.length });
        assert.ok((await grant.send(photo)).ok);
        assert.equal(await sender.publish(grant), 201);
        const other = Buffer.from(photo).fill(0, photo.length - 1000);
        await grant.send(other);
        return Buffer.from(await (await fetch(await sender.source(grant))).arrayBuffer()).equals(photo);
      },
      'a file that never arrived cannot be published': async (sender) => {
        const grant = await sender.begin({ type: 'image/jpeg', size: photo.length });
        return (await sender.publish(grant)) !== 201;
      },
    };

    for (const [fact, expected] of Object.entries(FOUND))
      test(`${expected[place] ? 'holds' : 'does not hold'}: ${fact}`, async () => {
        assert.equal(await found[fact](await Sender.signIn(stack, 'mallory')), expected[place]);
      });
  });
