/** The demo's page: a form whose files go straight to the store, and what has been published. */

import { createClient, formatSize, formatTypes, sentence } from '/assets/client/index.js';
import { entryElement } from './entries.js';
import { UploadList } from './uploads.js';
import { counted, when } from './words.js';

/**
 * @typedef {import('/assets/client/index.js').Client} Client
 * @typedef {import('/assets/client/index.js').Profile} Profile
 * @typedef {import('/assets/client/index.js').Upload} Upload
 * @typedef {import('./entries.js').Entry} Entry
 */

/** @param {string} id */
const $ = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const form = /** @type {HTMLFormElement} */ ($('form'));
const title = /** @type {HTMLInputElement} */ ($('title'));
const text = /** @type {HTMLTextAreaElement} */ ($('text'));
const files = /** @type {HTMLInputElement} */ ($('files'));
const publish = /** @type {HTMLButtonElement} */ ($('publish'));
const entryTemplate = /** @type {HTMLTemplateElement} */ ($('entry'));

/** Who uploads by which rules, once the session is there. @type {{client: Client, profile: Profile} | undefined} */
let session;
/**
 * The publication that waits for its uploads, with the failed ones that were in view when it was asked for.
 *
 * @type {{failed: Upload[]} | undefined}
 */
let pending;
let publishing = false;

const list = new UploadList({
  list: /** @type {HTMLUListElement} */ ($('uploads')),
  template: /** @type {HTMLTemplateElement} */ ($('row')),
  after: files,
  announce,
  changed: showForm,
});

/** @type {string[]} */
const announcements = [];

/**
 * Several things at once become one announcement, or a screen reader says only the last.
 *
 * @param {string} sentence
 */
function announce(sentence) {
  if (announcements.push(sentence) > 1) return;
  setTimeout(() => {
    $('announcement').textContent = announcements.splice(0).join(' ');
  }, 300);
}

/**
 * @param {string} path
 * @param {RequestInit} [request]
 * @returns {Promise<any>}
 */
async function ask(path, request) {
  const response = await fetch(path, request).catch(() => {
    throw new Error('The server cannot be reached. Check the connection, and try again.');
  });
  const answer = await response.json().catch(() => undefined);
  if (response.ok && answer) return answer;
  const message = answer?.error?.message ?? `The server failed (${response.status}). Try again.`;
  throw Object.assign(new Error(sentence(message)), { details: answer?.error?.details });
}

async function start() {
  try {
    const { api, profile, user } = await ask('/demo/session');
    const client = createClient({ api, token: async () => (await ask('/demo/session')).token });
    session = { client, profile: await client.profile(profile) };
    showRules(session.profile);
    const who = /** @type {HTMLElement} */ (document.querySelector('.who'));
    /** @type {HTMLElement} */ (who.querySelector('strong')).textContent = user;
    who.hidden = false;
    files.disabled = false;
    showForm();
    const { entries } = await ask('/demo/entries');
    showEntries(entries);
  } catch (error) {
    $('page-error').textContent = messageOf(error);
  }
}

/** @param {Profile} profile */
function showRules({ types, max_size, max_files }) {
  files.accept = types.join(',');
  const count = max_files === undefined ? '' : ` At most ${counted(max_files, 'file')}.`;
  $('media-hint').textContent = `${formatTypes(types)}, up to ${formatSize(max_size)} each.${count}`;
}

/** @param {Entry[]} entries */
function showEntries(entries) {
  $('entries').replaceChildren(...entries.map((entry) => entryElement(entryTemplate, entry)));
  $('empty').hidden = entries.length > 0;
}

/** @param {Iterable<File>} chosen */
function add(chosen) {
  if (!session) return;
  const { client, profile } = session;
  const taken = [...chosen];
  const room = Math.max(0, (profile.max_files ?? Number.POSITIVE_INFINITY) - list.uploads.length);
  const over = taken.length - room;
  $('media-error').textContent =
    over > 0 ? `An entry takes ${counted(profile.max_files ?? 0, 'file')}; ${over} more were left out.` : '';
  $('form-error').textContent = '';
  if (taken.length > 0 && room > 0) list.add(taken.slice(0, room), client, profile.name);
}

/** Everything in the form that follows from the state of its files. */
function showForm() {
  const { uploads, underWay, ready } = list;
  stopAtFailure(uploads);
  form.classList.toggle('filled', uploads.length > 0);
  publish.disabled = !session || publishing;
  publish.textContent = buttonWords(underWay.length);
  publish.toggleAttribute('data-armed', pending !== undefined);
  $('plan').textContent = pending ? planWords(underWay) : '';
  $('summary').textContent = uploads.length > 1 ? `${ready.length} of ${uploads.length} ready` : '';
  showTitle(underWay);
  showFate();
  if (pending && underWay.length === 0) send();
}

/**
 * A publication does not go out without a file that it waited for.
 *
 * @param {Upload[]} uploads
 */
function stopAtFailure(uploads) {
  if (!pending) return;
  const { failed } = pending;
  const lost = uploads.filter((upload) => upload.state === 'failed' && !failed.includes(upload));
  if (lost.length > 0)
    disarm(`${counted(lost.length, 'file')} did not make it. Look at the list, then publish.`);
}

/** @param {number} underWay */
function buttonWords(underWay) {
  if (publishing) return 'Publishing…';
  if (pending) return 'Don’t publish yet';
  return underWay > 0 ? 'Publish when uploads finish' : 'Publish';
}

/** @param {Upload[]} underWay */
function planWords(underWay) {
  const paused = underWay.filter(({ state }) => state === 'paused').length;
  if (paused > 0) return `Waiting for ${counted(paused, 'paused file')}: resume, and this will be published.`;
  return underWay.length > 0 ? 'This will be published when its uploads finish.' : '';
}

/** @param {Upload[]} underWay */
function showTitle(underWay) {
  const sum = (/** @type {'sent' | 'total'} */ part) =>
    underWay.reduce((bytes, { progress }) => bytes + progress[part], 0);
  const percent = Math.floor((sum('sent') * 100) / Math.max(1, sum('total')));
  document.title = `${underWay.length > 0 ? `${percent} % · ` : ''}Publish · Loadlock`;
}

function showFate() {
  const times = list.ready.flatMap(({ expiresAt }) => (expiresAt ? [expiresAt.getTime()] : []));
  const until = times.length > 0 ? `, these on ${when(new Date(Math.min(...times)))}` : '';
  $('fate').textContent = `Files that are never published expire by themselves${until}.`;
}

/** @param {string} [why] */
function disarm(why = '') {
  pending = undefined;
  $('form-error').textContent = why;
}

function submit() {
  $('form-error').textContent = '';
  if (pending) {
    disarm();
    announce('Not publishing yet.');
    showForm();
    return;
  }
  if (!checkTitle()) return;
  if (list.failed.length > 0) {
    $('form-error').textContent =
      `${counted(list.failed.length, 'file')} did not arrive. Retry or remove first.`;
    return;
  }
  pending = { failed: list.uploads.filter(({ state }) => state === 'failed') };
  if (list.underWay.length > 0) announce('The entry will be published when its uploads finish.');
  showForm();
}

function checkTitle() {
  const missing = title.value.trim() === '';
  $('title-error').textContent = missing ? 'An entry needs a title.' : '';
  title.setAttribute('aria-invalid', String(missing));
  if (missing) title.focus();
  return !missing;
}

/** Sends the form, with the ids of its files: from here on they are the entry's. */
async function send() {
  pending = undefined;
  publishing = true;
  showForm();
  const published = list.ready;
  const uploads = published.map(({ id }) => id);
  const body = JSON.stringify({ title: title.value.trim(), text: text.value.trim(), uploads });
  const headers = { 'content-type': 'application/json' };
  try {
    const entry = await ask('/demo/entries', { method: 'POST', headers, body });
    form.reset();
    list.clear(published);
    showPublished(entry);
  } catch (error) {
    const refused = /** @type {any} */ (error).details?.uploads ?? [];
    list.markRefused(refused);
    $('form-error').textContent =
      refused.length > 0 ? 'Nothing was published: look at the files above.' : messageOf(error);
  } finally {
    publishing = false;
    showForm();
  }
}

/** @param {Entry} entry */
function showPublished(entry) {
  const element = entryElement(entryTemplate, entry);
  element.classList.add('new');
  $('entries').prepend(element);
  $('empty').hidden = true;
  /** @type {HTMLElement} */ (element.querySelector('h3')).focus();
  announce(`Published: ${entry.title}.`);
}

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/** Files may be dropped anywhere: beside the zone, the browser would leave the page for them. */
function acceptDrops() {
  const carriesFiles = (/** @type {DragEvent} */ event) =>
    event.dataTransfer?.types.includes('Files') ?? false;
  let depth = 0;
  const hover = (/** @type {number} */ change) => {
    depth = change === 0 ? 0 : Math.max(0, depth + change);
    form.classList.toggle('dropping', depth > 0);
  };
  addEventListener('dragenter', (event) => carriesFiles(event) && hover(1));
  addEventListener('dragleave', (event) => carriesFiles(event) && hover(-1));
  addEventListener('dragover', (event) => carriesFiles(event) && event.preventDefault());
  addEventListener('drop', (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    hover(0);
    add(event.dataTransfer?.files ?? []);
  });
}

files.addEventListener('change', () => {
  add(files.files ?? []);
  // So that the same file can be chosen again.
  files.value = '';
});
addEventListener('paste', (event) => add(event.clipboardData?.files ?? []));
addEventListener('beforeunload', (event) => {
  if (list.underWay.length > 0) event.preventDefault();
});
title.addEventListener('input', () => title.getAttribute('aria-invalid') === 'true' && checkTitle());
form.addEventListener('submit', (event) => {
  event.preventDefault();
  submit();
});
acceptDrops();
start();
