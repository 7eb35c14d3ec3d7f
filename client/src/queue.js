/** So many uploads at a time; the others wait for their turn, first come, first served. */

export class Queue {
  #free;
  /** @type {Set<() => void>} */
  #waiting = new Set();

  /** @param {number} places */
  constructor(places) {
    this.#free = places;
  }

  /**
   * Waits for a place. Whoever got one calls the returned function once to give it back.
   *
   * @param {AbortSignal} signal
   * @returns {Promise<() => void>}
   */
  async take(signal) {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    return () => this.#giveBack();
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<void>}
   */
  #turn(signal) {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(enter);
        reject(signal.reason);
      };
      const enter = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.add(enter);
    });
  }

  #giveBack() {
    const [next] = this.#waiting;
    if (!next) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
