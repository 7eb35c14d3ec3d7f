/** What the page says, in words. */

import { formatSize } from '/assets/client/index.js';

/**
 * @typedef {import('/assets/client/index.js').Upload} Upload
 * @typedef {import('/assets/client/index.js').UploadState} UploadState
 */

/** @type {Record<UploadState, string>} */
const STATES = {
  checking: 'Checking',
  waiting: 'Waiting for its turn',
  sending: 'Uploading',
  paused: 'Paused',
  completing: 'Inspecting',
  ready: 'Ready to publish',
  stored: 'Stored',
  failed: 'Failed',
  cancelled: 'Removed',
};

/** @param {Upload} upload */
export function stateWords({ state, error, method }) {
  if (state === 'failed' && !error?.retryable) return 'Not added';
  if (state === 'paused' && method && method !== 'multipart') return 'Paused; will start over';
  return STATES[state];
}

/**
 * Bytes, rate and time left while they are worth knowing, else the size.
 *
 * @param {Upload} upload
 */
export function numberWords({ state, progress: { sent, total, rate, secondsLeft }, file }) {
  if (state !== 'sending' && state !== 'paused') return formatSize(file.size);
  const words = [`${formatSize(sent)} of ${formatSize(total)}`];
  if (state === 'sending' && rate) words.push(`${formatSize(rate)}/s`);
  if (state === 'sending' && secondsLeft !== undefined) words.push(timeLeft(secondsLeft));
  // A line breaks between these, never within one.
  return words.map((word) => word.replaceAll(' ', '\u00a0')).join(' · ');
}

/** @param {number} seconds */
function timeLeft(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.ceil(seconds))} s left`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} min left`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}

/**
 * `1 file`, `3 files`.
 *
 * @param {number} count
 * @param {string} thing
 */
export const counted = (count, thing) => `${count} ${thing}${count === 1 ? '' : 's'}`;

const dateAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** @param {Date} date */
export const when = (date) => dateAndTime.format(date);
