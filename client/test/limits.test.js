/** What is said of a file before a byte of it is sent. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, formatSize, formatTypes } from '../src/limits.js';
import { PROFILE } from './service.js';

/** @type {import('../src/index.js').Profile} */
const profile = {
  ...PROFILE,
  promote: 'on_claim',
  types: ['image/*', 'video/mp4'],
  extensions: ['.jpg', 'mp4'],
};

/**
 * @param {string} name
 * @param {number} size
 * @param {string} type
 */
const said = (name, size, type) => check({ name, size, type }, profile)?.message;

test('a file within the rules is not spoken of', () => {
  assert.equal(said('a.JPG', 1, 'image/jpeg'), undefined);
  assert.equal(said('a.b.mp4', 1000, 'video/mp4'), undefined);
});

test('each rule is said in a sentence that names the file', () => {
  const rules = [
    [said('a.jpg', 0, 'image/jpeg'), '“a.jpg” is empty: it has no bytes to upload.'],
    [said('a.jpg', 1001, 'image/jpeg'), '“a.jpg” is 1001 bytes; the largest file taken here is 1000 bytes.'],
    [said('a.pdf', 9, 'application/pdf'), '“a.pdf” is a PDF file; taken here are images and MP4.'],
    [said('a', 9, ''), '“a” is of no known type; taken here are images and MP4.'],
    [said('a.png', 9, 'image/png'), '“a.png” has another ending than .jpg, mp4.'],
  ];
  for (const [message, sentence] of rules) assert.equal(message, sentence);
});

test('a size just over the limit never reads as the limit', () => {
  assert.equal(formatSize(5 * 2 ** 30), '5 GiB');
  assert.equal(formatSize(5 * 2 ** 30 + 1), '5.1 GiB');
  assert.equal(formatSize(25 * 2 ** 20 + 1), '26 MiB');
  assert.deepEqual([0, 1, 1023, 1024].map(formatSize), ['0 bytes', '1 byte', '1023 bytes', '1 KiB']);
});

test('types stand in a sentence by the names that people use', () => {
  assert.equal(formatTypes(['image/jpeg', 'image/webp', 'video/quicktime']), 'JPEG, WebP and QuickTime');
  assert.equal(formatTypes(['image/*']), 'images');
  assert.equal(formatTypes(['application/vnd.ms-excel']), 'application/vnd.ms-excel');
});
