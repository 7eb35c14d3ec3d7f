/** Trying again, with growing pauses. */

import { isTransient, UploadError } from './errors.js';

/**
 * Runs `work` again after each passing failure (no network, 408, 429, 5xx), waiting `delays[n]` milliseconds, give or
 * take a quarter, before try n + 1. Any other failure, or one more than there are delays, is thrown.
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
      await pause(delay * (0.75 + Math.random() / 2), signal);
    }
  }
}

/** @param {unknown} error */
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
