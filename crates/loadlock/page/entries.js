/** What has been published, newest first. */

import { when } from './words.js';

/**
 * @typedef {object} Medium
 * @property {string} id
 * @property {string} filename
 * @property {string} content_type
 * @property {number} size
 * @property {number} [width]
 * @property {number} [height]
 * @property {string} content_url
 *
 * @typedef {{id: string, title: string, text: string, created_at: string, media: Medium[]}} Entry
 */

/**
 * @param {HTMLTemplateElement} template
 * @param {Entry} entry
 * @returns {HTMLElement}
 */
export function entryElement(template, { title, text, created_at, media }) {
  const fragment = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
  const part = (/** @type {string} */ selector) =>
    /** @type {HTMLElement} */ (fragment.querySelector(selector));
  part('h3').textContent = title;
  const time = /** @type {HTMLTimeElement} */ (part('time'));
  time.dateTime = created_at;
  time.textContent = when(new Date(created_at));
  part('.text').textContent = text;
  part('.text').hidden = text === '';
  const images = media.filter(({ content_type }) => !content_type.startsWith('video/'));
  part('.media').dataset.images = String(Math.min(images.length, 5));
  part('.media').hidden = media.length === 0;
  part('.media').append(...media.map(mediumElement));
  return part('article');
}

/** @param {Medium} medium */
function mediumElement(medium) {
  const figure = document.createElement('figure');
  if (!medium.content_type.startsWith('video/')) {
    figure.append(image(medium));
    return figure;
  }
  const caption = document.createElement('figcaption');
  caption.dir = 'auto';
  caption.textContent = medium.filename;
  figure.className = 'wide';
  figure.append(video(medium), caption);
  return figure;
}

/** @param {Medium} medium */
function image({ content_url, filename, width, height }) {
  const link = document.createElement('a');
  link.href = content_url;
  link.target = '_blank';
  link.rel = 'noopener';
  const img = document.createElement('img');
  img.alt = filename;
  img.title = filename;
  img.loading = 'lazy';
  img.decoding = 'async';
  if (width && height) [img.width, img.height] = [width, height];
  img.onerror = () => link.classList.add('broken');
  img.src = content_url;
  link.append(img);
  return link;
}

/** @param {Medium} medium */
function video({ content_url, filename }) {
  const player = document.createElement('video');
  player.controls = true;
  player.preload = 'metadata';
  player.playsInline = true;
  player.setAttribute('aria-label', filename);
  player.src = content_url;
  return player;
}
