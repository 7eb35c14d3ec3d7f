/** The lines an integrator writes with each: not blank, no comment; server, page and configuration. Prints them with the facts. */

import { readdir, readFile } from 'node:fs/promises';
import { FOUND, READ, VARIANTS } from './facts.js';

const NAMES = {
  loadlock: 'Loadlock',
  uppy: 'Uppy 6.3.1 + Companion 6.2.2',
  'better-upload': 'better-upload 3.0.19',
};

/** What a file of a variant is. */
const kind = (name) => ({ 'server.js': 'server', 'page.js': 'page' })[name] ?? 'configuration';

const isCode = (line) => line.trim() !== '' && !/^\s*(\/\/|\/\*|\*|#)/.test(line);

async function lines(variant) {
  const counted = { server: 0, page: 0, configuration: 0 };
  const directory = new URL(`${variant}/`, import.meta.url);
  for (const name of await readdir(directory)) {
    const text = await readFile(new URL(name, directory), 'utf8');
    counted[kind(name)] += text.split('\n').filter(isCode).length;
  }
  return counted;
}

const counted = await Promise.all(VARIANTS.map(lines));
const row = (cells) => console.log(`| ${cells.join(' | ')} |`);

row(['lines', ...VARIANTS.map((variant) => NAMES[variant])]);
row(['---', ...VARIANTS.map(() => '---')]);
for (const what of ['server', 'page', 'configuration']) row([what, ...counted.map((lines) => lines[what])]);
row([
  '**together**',
  ...counted.map(({ server, page, configuration }) => `**${server + page + configuration}**`),
]);
const said = (holds) => holds.map((it) => (it ? 'yes' : '**no**'));
for (const [fact, holds] of Object.entries(FOUND)) row([fact, ...said(holds)]);
for (const [fact, holds] of Object.entries(READ)) row([`${fact} (read)`, ...said(holds)]);
