/** The page in Chromium: what a person does there, and everything that went wrong behind it. */

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const SCREENSHOTS = fileURLToPath(new URL('../screenshots/', import.meta.url));
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const launch = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });

/** What Chromium reports of an answer that is an error; the test says whether it expects those. */
const REFUSAL = /^Failed to load resource/;

export class Page {
  /** Console errors, uncaught exceptions and violations of the page's own policy. @type {string[]} */
  errors = [];
  /** Requests to the API and to the store, as `METHOD url`, in order. @type {string[]} */
  requests = [];
  /** What the API answered to each begin. @type {{id: string, token: string}[]} */
  begun = [];
  /** Those of them that are still being read. @type {Set<Promise<void>>} */
  #reading = new Set();

  static async open(browser, loadlock, { address = loadlock.page, before, ...options } = {}) {
    const page = new Page();
    page.context = await browser.newContext({
      viewport: { width: 1280, height: 900 },
      locale: 'en-GB',
      ...options,
    });
    page.tab = await page.context.newPage();
    page.#listen(loadlock);
    await before?.(page.tab);
    await page.tab.goto(address);
    await page.tab.locator('#publish:enabled').waitFor();
    return page;
  }

  #listen(loadlock) {
    this.tab.on('console', (message) => message.type() === 'error' && this.errors.push(message.text()));
    this.tab.on('pageerror', (error) => this.errors.push(String(error)));
    this.tab.on('request', (request) => {
      if (request.method() !== 'OPTIONS') this.requests.push(`${request.method()} ${request.url()}`);
    });
    this.tab.on('response', (response) => {
      if (response.url() !== `${loadlock.api}/v1/uploads` || response.status() !== 201) return;
      const reading = response.json().then((begun) => this.begun.push(begun));
      this.#reading.add(reading);
      reading.finally(() => this.#reading.delete(reading));
    });
  }

  /** Nothing may have gone wrong behind the page's back; a refused request only where the test is about one. */
  async close({ refusals = false } = {}) {
    this.tab.removeAllListeners('response');
    await Promise.all(this.#reading);
    await this.context.close();
    const errors = this.errors.filter((error) => !(refusals && REFUSAL.test(error)));
    assert.deepEqual(errors, []);
  }

  async screenshot(name) {
    await mkdir(SCREENSHOTS, { recursive: true });
    await this.tab.screenshot({ path: `${SCREENSHOTS}${name}.png`, fullPage: true, animations: 'disabled' });
  }

  choose(...paths) {
    return this.tab.setInputFiles('#files', paths);
  }

  row(name) {
    return this.tab.getByRole('listitem').filter({ hasText: name });
  }

  /** Waits until a file's row says so. */
  says(name, words, timeout = 60_000) {
    return this.row(name).getByText(words).first().waitFor({ timeout });
  }

  press(action, name) {
    return this.tab.getByRole('button', { name: `${action} ${name}` }).click();
  }

  /** Waits until so much of a file is sent, of 1. */
  async sent(name, share) {
    const bar = await this.row(name).locator('progress').elementHandle();
    await this.tab.waitForFunction(([bar, share]) => bar.value >= share, [bar, share], { timeout: 120_000 });
  }

  async publish(title) {
    await this.tab.getByLabel('Title').fill(title);
    await this.tab.locator('#publish').click();
    return this.entry(title);
  }

  async entry(title) {
    const entry = this.tab
      .getByRole('article')
      .filter({ has: this.tab.getByRole('heading', { name: title }) });
    await entry.waitFor({ timeout: 120_000 });
    return entry;
  }

  /** The numbers of the parts sent since so many requests had been made. */
  partsSent(since = 0) {
    const puts = this.requests.slice(since).filter((line) => line.startsWith('PUT '));
    return puts.map((line) => Number(new URL(line.slice(4)).searchParams.get('partNumber')));
  }
}

/** Waits until an image is there, and gives its width. */
export const naturalWidth = (image) =>
  image.evaluate(async (element) => {
    element.loading = 'eager';
    await element.decode();
    return element.naturalWidth;
  });

/** What axe finds serious or critical, in words. */
export async function violations(tab) {
  await tab.evaluate(await readFile(AXE, 'utf8'));
  const { violations } = await tab.evaluate(() => window.axe.run());
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}
