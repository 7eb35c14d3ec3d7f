/** The list of files that are on their way into an entry. */

import { UploadError } from '/assets/client/index.js';
import { counted, numberWords, stateWords } from './words.js';

/**
 * @typedef {import('/assets/client/index.js').Client} Client
 * @typedef {import('/assets/client/index.js').Upload} Upload
 *
 * @typedef {object} Surroundings
 * @property {HTMLUListElement} list
 * @property {HTMLTemplateElement} template of one row
 * @property {HTMLElement} after what has the focus when the last row is gone
 * @property {(sentence: string) => void} announce says something to who cannot see the page
 * @property {() => void} changed
 */

/** The states in which a file is still on its way. */
const UNDER_WAY = new Set(['checking', 'waiting', 'sending', 'paused', 'completing']);

export class UploadList {
  #around;
  /** @type {Set<Row>} */
  #rows = new Set();

  /** @param {Surroundings} around */
  constructor(around) {
    this.#around = around;
  }

  /**
   * @param {File[]} files
   * @param {Client} client
   * @param {string} profile
   */
  add(files, client, profile) {
    for (const file of files) {
      const row = new Row(client.upload(file, { profile }), this.#around, (gone) => this.#remove(gone));
      this.#rows.add(row);
      this.#around.list.append(row.element);
    }
    this.#around.announce(`${counted(files.length, 'file')} added.`);
    this.#around.changed();
  }

  get uploads() {
    return Array.from(this.#rows, ({ upload }) => upload);
  }

  /** Everything still on its way, paused included. */
  get underWay() {
    return this.uploads.filter(({ state }) => UNDER_WAY.has(state));
  }

  /** Those that a retry may still bring home. */
  get failed() {
    return this.uploads.filter(({ state, error }) => state === 'failed' && error?.retryable);
  }

  get ready() {
    return this.uploads.filter(({ state }) => state === 'ready' || state === 'stored');
  }

  /**
   * Says next to each file what the server said of it.
   *
   * @param {{id: string, state: string}[]} refused
   */
  markRefused(refused) {
    for (const { id, state } of refused) {
      for (const row of this.#rows) if (row.upload.id === id && state !== 'ready') row.markEnded(state);
    }
  }

  /**
   * Forgets the files that are an entry's now, and those that failed; what was added since stays.
   *
   * @param {Upload[]} published
   */
  clear(published) {
    for (const row of this.#rows) {
      if (row.upload.state !== 'failed' && !published.includes(row.upload)) continue;
      this.#rows.delete(row);
      row.leave();
    }
    this.#around.changed();
  }

  /** @param {Row} row */
  #remove(row) {
    const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
    const focused = row.element.contains(document.activeElement);
    this.#rows.delete(row);
    row.leave();
    if (focused) focusRemove(next, this.#around.after);
    this.#around.announce(`${row.upload.name} removed.`);
    this.#around.changed();
  }
}

/**
 * @param {Element | null} row
 * @param {HTMLElement} otherwise
 */
function focusRemove(row, otherwise) {
  const button = /** @type {HTMLElement | null} */ (row?.querySelector('[data-do="remove"]') ?? null);
  (button ?? otherwise).focus();
}

/** One file. */
class Row {
  upload;
  element;
  #around;
  #preview = '';
  #frame = 0;

  /**
   * @param {Upload} upload
   * @param {Surroundings} around
   * @param {(row: Row) => void} remove
   */
  constructor(upload, around, remove) {
    this.upload = upload;
    this.#around = around;
    const { firstElementChild } = /** @type {DocumentFragment} */ (around.template.content.cloneNode(true));
    this.element = /** @type {HTMLLIElement} */ (firstElementChild);
    this.#showName();
    this.#showPreview();
    this.#button('pause').onclick = () => upload.pause();
    this.#button('resume').onclick = () => upload.resume();
    this.#button('retry').onclick = () => upload.retry();
    this.#button('remove').onclick = () => {
      upload.cancel();
      remove(this);
    };
    upload.on('state', () => this.#stateChanged());
    upload.on('progress', () => this.#progressed());
    this.#show();
  }

  leave() {
    cancelAnimationFrame(this.#frame);
    URL.revokeObjectURL(this.#preview);
    this.element.remove();
  }

  /** @param {string} state the service's word for what became of it */
  markEnded(state) {
    const message = `It is ${state} and cannot be published. Remove it, and add it again.`;
    this.element.dataset.state = 'failed';
    this.#part('.state').textContent = 'Not added';
    this.#part('.trouble').textContent = message;
  }

  #showName() {
    const { name } = this.upload;
    const dot = name.lastIndexOf('.');
    const cut = dot > 0 && name.length - dot <= 6 ? dot : name.length;
    this.#part('.stem').textContent = name.slice(0, cut);
    this.#part('.ending').textContent = name.slice(cut);
    this.#part('.name').title = name;
    this.#part('progress').setAttribute('aria-label', `Upload of ${name}`);
  }

  #showPreview() {
    const kind = this.upload.file.type.split('/')[0];
    if (kind === 'video') this.#part('.thumb use').setAttribute('href', '#icon-video');
    if (kind !== 'image') return;
    this.#part('.thumb use').setAttribute('href', '#icon-image');
    this.#preview = URL.createObjectURL(this.upload.file);
    const image = new Image();
    image.alt = '';
    image.decoding = 'async';
    // What is no image after all keeps the icon.
    image.onload = () => this.#part('.thumb').replaceChildren(image);
    image.src = this.#preview;
  }

  #stateChanged() {
    const { state, error, name } = this.upload;
    this.#show();
    if (state === 'ready') this.#around.announce(`${name} is ready to publish.`);
    if (state === 'paused') this.#around.announce(`${name} is paused.`);
    if (state === 'failed' && error) this.#around.announce(`${name}: ${error.message}`);
    this.#around.changed();
  }

  /** Many events a second become one picture. */
  #progressed() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      this.#showProgress();
      this.#around.changed();
    });
  }

  #show() {
    const { state, error } = this.upload;
    const retryable = state === 'failed' && error?.retryable === true;
    this.element.dataset.state = state;
    this.#part('.state').textContent = stateWords(this.upload);
    this.#part('.trouble').textContent =
      state === 'failed' && error instanceof UploadError ? error.message : '';
    this.#offer('pause', state === 'waiting' || state === 'sending', 'Pause');
    this.#offer('resume', state === 'paused', 'Resume');
    this.#offer('retry', retryable, 'Retry');
    this.#offer('remove', true, UNDER_WAY.has(state) ? 'Cancel' : 'Remove');
    this.#keepFocus();
    this.#showProgress();
  }

  #showProgress() {
    const { state, progress } = this.upload;
    const bar = /** @type {HTMLProgressElement} */ (this.#part('progress'));
    this.#part('.numbers').textContent = numberWords(this.upload);
    bar.hidden = !UNDER_WAY.has(state);
    if (state === 'completing') bar.removeAttribute('value');
    else bar.value = progress.total === 0 ? 0 : progress.sent / progress.total;
  }

  /**
   * @param {string} action
   * @param {boolean} offered
   * @param {string} word
   */
  #offer(action, offered, word) {
    const button = this.#button(action);
    if (!offered && button === document.activeElement) this.element.dataset.focus = 'lost';
    button.hidden = !offered;
    button.title = word;
    button.setAttribute('aria-label', `${word} ${this.upload.name}`);
  }

  /** Who pressed Pause finds Resume under the finger, not the top of the page. */
  #keepFocus() {
    if (this.element.dataset.focus !== 'lost') return;
    delete this.element.dataset.focus;
    /** @type {HTMLButtonElement | null} */ (this.element.querySelector('button:not([hidden])'))?.focus();
  }

  /** @param {string} action */
  #button(action) {
    return /** @type {HTMLButtonElement} */ (this.#part(`[data-do="${action}"]`));
  }

  /** @param {string} selector */
  #part(selector) {
    return /** @type {HTMLElement} */ (this.element.querySelector(selector));
  }
}
