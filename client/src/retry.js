/** Trying again, with growing pauses, or when the server says. */

import { isTransient, UploadError } from './errors.js';

/** Nobody is kept waiting for longer without being told why. */
const LONGEST_MS = 120_000;

/**
 * Runs `work` again after each passing failure (no network, 408, 429, 5xx), waiting `delays[n]` milliseconds, give or
 * take a quarter, before try n + 1; on top of what the server asks for (`Retry-After`), if that is two minutes at most.
 * Any other failure, or one more than there are delays, is thrown.
 *
 * @template T
 * @param {readonly number[]} delays
 * @param {AbortSignal} signal
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function retrying(delays, signal, work) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const delay = delays[attempt];
      if (delay === undefined || !passes(error)) throw error;
      const asked = (error.retryAfter ?? 0) * 1000;
      if (asked > LONGEST_MS) throw error;
      await pause(asked + delay * (0.75 + Math.random() / 2), signal);
    }
  }
}

/**
 * @param {unknown} error
 * @returns {error is UploadError}
 */
function passes(error) {
  if (!(error instanceof UploadError) || !error.retryable) return false;
  return error.status === undefined || isTransient(error.status);
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}
