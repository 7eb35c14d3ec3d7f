/** Uploads from the browser straight into S3, through Loadlock. */

import { Api } from './api.js';
import { Queue } from './queue.js';
import { Upload } from './upload.js';

export { sentence } from './api.js';
export { UploadError } from './errors.js';
export { check, formatSize, formatTypes } from './limits.js';
export { Upload } from './upload.js';

/**
 * @typedef {import('./api.js').Begun} Begun
 * @typedef {import('./api.js').Begin} Begin
 * @typedef {import('./api.js').BeginRequest} BeginRequest
 * @typedef {import('./api.js').FileRecord} FileRecord
 * @typedef {import('./api.js').Profile} Profile
 * @typedef {import('./api.js').Token} Token
 * @typedef {import('./api.js').UploadRecord} UploadRecord
 * @typedef {import('./progress.js').Progress} Progress
 * @typedef {import('./upload.js').UploadOptions} UploadOptions
 * @typedef {import('./upload.js').UploadState} UploadState
 *
 * @typedef {object} ClientOptions
 * @property {string} [api] the service's address; not needed where every upload has a `begin` whose answer tells it
 * @property {Token} [token] the user's token, or a function that gets a fresh one; not needed where `begin` is given
 * @property {number} [filesAtOnce] 3
 * @property {number} [partsAtOnce] of each large file: 4
 * @property {readonly number[]} [retryDelays] milliseconds before each further try of whatever failed in passing
 *
 * @typedef {object} Client
 * @property {(file: Blob, options: UploadOptions) => Upload} upload starts to upload a file
 * @property {(name: string) => Promise<Profile>} profile a profile's rules, for `accept`, hints and `check`
 */

const RETRY_DELAYS = [500, 1000, 2000, 4000, 8000];

/**
 * @param {ClientOptions} [options]
 * @returns {Client}
 */
export function createClient({
  api: base,
  token,
  filesAtOnce = 3,
  partsAtOnce = 4,
  retryDelays = RETRY_DELAYS,
} = {}) {
  const api = new Api({ api: base, token, retryDelays });
  const surroundings = { api, queue: new Queue(filesAtOnce), retryDelays, partsAtOnce };
  return {
    upload: (file, options) => new Upload(file, options, surroundings),
    profile: (name) => api.profile(name),
  };
}
