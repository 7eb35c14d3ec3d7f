/** How far a transfer is, how fast, and how long it will take. */

/**
 * @typedef {object} Progress
 * @property {number} sent bytes
 * @property {number} total bytes
 * @property {number} [rate] bytes a second, smoothed; absent until it is known
 * @property {number} [secondsLeft] absent until it is known
 */

/** A rate is taken over at least this long: progress events come in bursts. */
const WINDOW_MS = 250;
/** The rate follows a change in about this time. */
const SMOOTHING_MS = 3000;

/** Smooths a rate out of bytes and times; the clock is the caller's (milliseconds). */
export class Meter {
  #total;
  #sent = 0;
  #mark = { sent: 0, at: 0 };
  /** @type {number | undefined} */
  #rate;

  /** @param {number} total */
  constructor(total) {
    this.#total = total;
  }

  /**
   * Starts counting from `sent`: what the store already holds took no time, nor did a pause.
   *
   * @param {number} sent
   * @param {number} now
   */
  restart(sent, now) {
    this.#sent = sent;
    this.#mark = { sent, at: now };
    this.#rate = undefined;
  }

  /**
   * @param {number} sent all bytes sent so far
   * @param {number} now
   */
  update(sent, now) {
    this.#sent = Math.min(sent, this.#total);
    const elapsed = now - this.#mark.at;
    if (elapsed < WINDOW_MS) return;
    const measured = Math.max(0, ((this.#sent - this.#mark.sent) * 1000) / elapsed);
    const weight = 1 - Math.exp(-elapsed / SMOOTHING_MS);
    this.#rate = this.#rate === undefined ? measured : this.#rate + weight * (measured - this.#rate);
    this.#mark = { sent: this.#sent, at: now };
  }

  /** @returns {Progress} */
  get progress() {
    /** @type {Progress} */
    const progress = { sent: this.#sent, total: this.#total };
    if (this.#rate !== undefined) progress.rate = this.#rate;
    if (this.#rate) progress.secondsLeft = (this.#total - this.#sent) / this.#rate;
    return progress;
  }
}
