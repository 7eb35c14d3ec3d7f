/** What a profile says about a file, checked before a byte is sent. The service checks all of it again. */

import { UploadError } from './errors.js';

/** @typedef {import('./api.js').Profile} Profile */

/** What a file that the browser knows no type of is said to be. */
export const UNKNOWN_TYPE = 'application/octet-stream';

/**
 * The first rule of the profile that the file breaks, if any, as the error that the service would give.
 *
 * @param {{name: string, size: number, type: string}} file
 * @param {Profile} profile
 * @returns {UploadError | undefined}
 */
export function check({ name, size, type }, profile) {
  const sized = `“${name}” is ${formatSize(size)}`;
  if (size < profile.min_size) {
    const rule = `the smallest file taken here is ${formatSize(profile.min_size)}`;
    const message = size === 0 ? `“${name}” is empty: it has no bytes to upload.` : `${sized}; ${rule}.`;
    return new UploadError({
      code: 'file_too_small',
      message,
      details: { size, min_size: profile.min_size },
    });
  }
  if (size > profile.max_size) {
    const message = `${sized}; the largest file taken here is ${formatSize(profile.max_size)}.`;
    return new UploadError({
      code: 'file_too_large',
      message,
      details: { size, max_size: profile.max_size },
    });
  }
  const { types, extensions } = profile;
  if (!types.some((allowed) => covers(allowed, type))) {
    const kind = type === '' || type === UNKNOWN_TYPE ? 'of no known type' : `a ${typeName(type)} file`;
    const message = `“${name}” is ${kind}; taken here are ${formatTypes(types)}.`;
    return new UploadError({ code: 'type_not_allowed', message, details: { type, types } });
  }
  if (extensions && !extensions.some((ending) => endsWith(name, ending))) {
    const message = `“${name}” has another ending than ${extensions.join(', ')}.`;
    return new UploadError({ code: 'type_not_allowed', message, details: { extensions } });
  }
  return undefined;
}

/**
 * @param {string} allowed `image/jpeg`, `image/*` or `*` + `/*`
 * @param {string} type
 */
function covers(allowed, type) {
  if (allowed === '*/*') return true;
  return allowed.endsWith('/*') ? type.startsWith(allowed.slice(0, -1)) : allowed === type;
}

/**
 * @param {string} name
 * @param {string} ending with or without its dot
 */
const endsWith = (name, ending) => name.toLowerCase().endsWith(`.${ending.replace(/^\./, '').toLowerCase()}`);

const SIZE_UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

/**
 * A size in words: `1 byte`, `820 KiB`, `1.4 GiB`. A size just over a round one never reads as the round one.
 *
 * @param {number} bytes
 */
export function formatSize(bytes) {
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < SIZE_UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  if (unit === 0) return value === 1 ? '1 byte' : `${Math.round(value)} bytes`;
  return `${value < 10 ? Math.ceil(value * 10) / 10 : Math.ceil(value)} ${SIZE_UNITS[unit]}`;
}

const TYPE_NAMES = new Map([
  ['image/*', 'images'],
  ['video/*', 'videos'],
  ['audio/*', 'audio'],
  ['*/*', 'all files'],
  ['image/webp', 'WebP'],
  ['image/svg+xml', 'SVG'],
  ['video/webm', 'WebM'],
  ['video/quicktime', 'QuickTime'],
  ['text/plain', 'plain text'],
  ['application/zip', 'ZIP'],
]);

/**
 * A media type in a word: `JPEG`, `WebP`, `PDF`.
 *
 * @param {string} type
 */
export function typeName(type) {
  return TYPE_NAMES.get(type) ?? (/^[^/]+\/([\w]{2,5})$/.exec(type)?.[1]?.toUpperCase() || type);
}

/**
 * Media types as they stand in a sentence: `JPEG, PNG and MP4`.
 *
 * @param {readonly string[]} types
 */
export function formatTypes(types) {
  const names = types.map(typeName);
  const last = names.pop() ?? 'no files';
  return names.length === 0 ? last : `${names.join(', ')} and ${last}`;
}
