/** A large file in parts: several at once, each tried again by itself, none that the store holds sent twice. */

import { UploadError } from './errors.js';
import { mustAccept, send } from './request.js';
import { retrying } from './retry.js';

/** As many URLs are signed in one call. */
const BATCH = 32;

/**
 * @param {import('./api.js').MultipartGrant} grant
 * @param {import('./send.js').Sending} sending
 * @returns {Promise<void>}
 */
export async function sendParts(grant, sending) {
  const failed = new AbortController();
  const signal = AbortSignal.any([sending.signal, failed.signal]);
  const parts = new Parts(grant, { ...sending, signal });
  await parts.findHeld();
  const workers = Array.from({ length: sending.partsAtOnce }, () => parts.sendAll());
  try {
    await Promise.all(workers);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(workers);
    throw error;
  }
}

/** @typedef {import('./api.js').Part & {batch: object}} SignedPart */

class Parts {
  #partSize;
  #sending;
  /** Numbers nobody has taken yet, in order. @type {number[]} */
  #left;
  /** Bytes on their way, by the number of their part. @type {Map<number, number>} */
  #moving = new Map();
  /** @type {Map<number, SignedPart>} */
  #signed = new Map();
  /** @type {Promise<void> | undefined} */
  #signing;
  #doneBytes = 0;

  /**
   * @param {import('./api.js').MultipartGrant} grant
   * @param {import('./send.js').Sending} sending
   */
  constructor(grant, sending) {
    this.#partSize = grant.part_size;
    this.#sending = sending;
    this.#left = Array.from({ length: Math.ceil(sending.file.size / grant.part_size) }, (_, i) => i + 1);
    if (!sending.resumed) this.#keep(grant.parts);
  }

  /** Asks what the store holds, and leaves that out. */
  async findHeld() {
    if (this.#sending.resumed) {
      const { held } = await this.#sending.sign([]);
      const whole = new Set(
        held.filter(({ number, size }) => size === this.#size(number)).map((part) => part.number),
      );
      this.#left = this.#left.filter((number) => !whole.has(number));
      for (const number of whole) this.#doneBytes += this.#size(number);
    }
    this.#sending.onHeld(this.#doneBytes);
  }

  /** What one worker does: part after part, until none is left. */
  async sendAll() {
    for (let number = this.#left.shift(); number !== undefined; number = this.#left.shift()) {
      this.#moving.set(number, 0);
      await this.#send(number);
      this.#moving.delete(number);
      this.#doneBytes += this.#size(number);
    }
  }

  /** @param {number} number */
  #send(number) {
    const { retryDelays, signal } = this.#sending;
    return retrying(retryDelays, signal, async () => {
      let part = await this.#sign(number);
      let answer = await this.#put(part);
      if (answer.status === 403) {
        // Most likely its URL has expired: once more with a fresh one.
        for (const [other, { batch }] of this.#signed) if (batch === part.batch) this.#signed.delete(other);
        part = await this.#sign(number);
        answer = await this.#put(part);
      }
      mustAccept(answer);
    });
  }

  /** @param {SignedPart} part */
  async #put({ number, url, headers }) {
    const { file, signal } = this.#sending;
    const start = (number - 1) * this.#partSize;
    const body = file.slice(start, start + this.#size(number), '');
    const onProgress = (/** @type {number} */ sent) => this.#moved(number, sent);
    try {
      const answer = await send({ method: 'PUT', url, headers, body, signal, onProgress });
      if (answer.status >= 300) this.#moved(number, 0);
      return answer;
    } catch (error) {
      this.#moved(number, 0);
      throw error;
    }
  }

  /**
   * @param {number} number
   * @param {number} sent
   */
  #moved(number, sent) {
    this.#moving.set(number, sent);
    let total = this.#doneBytes;
    for (const bytes of this.#moving.values()) total += bytes;
    this.#sending.onProgress(total);
  }

  /**
   * The part with a URL; where it has none, one call signs for everybody who is waiting and for those to come.
   *
   * @param {number} number
   * @returns {Promise<SignedPart>}
   */
  async #sign(number) {
    for (let call = 0; call < 3; call++) {
      const part = this.#signed.get(number);
      if (part) return part;
      this.#signing ??= this.#signBatch().finally(() => {
        this.#signing = undefined;
      });
      // It may have been under way before this part was asked for.
      await this.#signing;
    }
    const message = `The server gave no URL for part ${number}.`;
    throw new UploadError({ code: 'unexpected_answer', message });
  }

  async #signBatch() {
    const wanted = [...this.#moving.keys(), ...this.#left].filter((number) => !this.#signed.has(number));
    const { parts } = await this.#sending.sign(wanted.slice(0, BATCH));
    this.#keep(parts);
  }

  /** @param {import('./api.js').Part[]} parts */
  #keep(parts) {
    const batch = {};
    for (const part of parts) this.#signed.set(part.number, { ...part, batch });
  }

  /** @param {number} number */
  #size(number) {
    return Math.min(this.#partSize, this.#sending.file.size - (number - 1) * this.#partSize);
  }
}
