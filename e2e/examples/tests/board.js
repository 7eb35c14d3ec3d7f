/** The examples' one page in Chromium, and what a person does there. */

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const SCREENSHOTS = fileURLToPath(new URL('../screenshots/', import.meta.url));
const REFUSAL = /^Failed to load resource/;

export class Board {
  /** Console errors and uncaught exceptions. @type {string[]} */
  errors = [];
  /** @type {import('playwright-core').Request[]} */
  requests = [];

  static async open(browser, { address }, { user, ...options } = {}) {
    const board = new Board();
    board.address = address;
    board.context = await browser.newContext({ locale: 'en-GB', ...options });
    board.tab = await board.context.newPage();
    board.tab.on('console', (message) => message.type() === 'error' && board.errors.push(message.text()));
    board.tab.on('pageerror', (error) => board.errors.push(String(error)));
    board.tab.on('request', (request) => board.requests.push(request));
    await board.tab.goto(address);
    if (user) await board.signIn(user);
    return board;
  }

  async close({ refusals = false } = {}) {
    await this.context.close();
    assert.deepEqual(
      this.errors.filter((error) => !(refusals && REFUSAL.test(error))),
      [],
    );
  }

  async signIn(user) {
    await this.tab.getByLabel('Your name').fill(user);
    await this.press('Sign in');
    await this.tab.getByText(user).first().waitFor();
  }

  press(name) {
    return this.tab.getByRole('button', { name }).click();
  }

  title(title) {
    return this.tab.getByLabel('Title').fill(title);
  }

  /** Once the page's script is there: a person could not choose earlier. */
  async choose(...paths) {
    await this.tab.locator('[type=file]:enabled').waitFor();
    await this.tab.getByLabel('Photos and videos').setInputFiles(paths);
  }

  row(name) {
    return this.tab.getByRole('listitem').filter({ hasText: name });
  }

  /** Sends a file by the plain form, and is back on the board. */
  async sendPlain(path) {
    await this.press('Add a photo');
    await this.tab.getByLabel('Photo or video').setInputFiles(path);
    await this.press('Send');
    await this.tab.getByRole('heading', { name: 'Pinboard' }).waitFor();
    await this.tab.waitForURL(
      (url) => url.origin === new URL(this.address).origin && url.searchParams.has('upload'),
    );
  }

  entry(title) {
    return this.tab
      .getByRole('article')
      .filter({ has: this.tab.getByRole('heading', { name: title, exact: true }) });
  }

  /** The real width of each image of an entry, once it is there. */
  async widths(title) {
    await this.entry(title).waitFor();
    const images = await this.entry(title).getByRole('img').all();
    return Promise.all(images.map((image) => loaded(this.tab, image)));
  }

  /** Bytes that the browser sent to this address's origin. */
  async bytesSentTo(address) {
    const { origin } = new URL(address);
    const there = this.requests.filter((request) => new URL(request.url()).origin === origin);
    const sizes = await Promise.all(
      there.map((request) => request.sizes().catch(() => ({ requestBodySize: 0 }))),
    );
    return sizes.reduce((sum, { requestBodySize }) => sum + requestBodySize, 0);
  }

  async screenshot(name) {
    await mkdir(SCREENSHOTS, { recursive: true });
    await this.tab.screenshot({ path: `${SCREENSHOTS}${name}.png`, fullPage: true, animations: 'disabled' });
  }
}

async function loaded(tab, image) {
  for (;;) {
    const { complete, naturalWidth } = await image.evaluate(({ complete, naturalWidth }) => ({
      complete,
      naturalWidth,
    }));
    if (complete) return naturalWidth;
    await tab.waitForEvent('requestfinished');
  }
}
