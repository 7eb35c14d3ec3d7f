/** One request with a body to the store, with real progress. */

import { isTransient, networkError, UploadError } from './errors.js';

/**
 * @typedef {object} StoreRequest
 * @property {'PUT' | 'POST'} method
 * @property {string} url
 * @property {Record<string, string>} [headers]
 * @property {Blob | FormData} body
 * @property {AbortSignal} signal
 * @property {(sent: number) => void} onProgress bytes of the body sent so far
 *
 * @typedef {{status: number, text: string}} StoreAnswer
 */

/** A connection on which nothing has moved for this long is given up. */
const STALL_MS = 60_000;

/**
 * Sends; gives the store's answer whatever its status. By XMLHttpRequest, because `fetch` tells nothing of a body on
 * its way; where there is none (service workers, Node) by `fetch`, and progress moves a request at a time.
 *
 * @param {StoreRequest} request
 * @returns {Promise<StoreAnswer>}
 */
export const send = (request) =>
  typeof XMLHttpRequest === 'undefined' ? sendByFetch(request) : sendByXhr(request);

/**
 * @param {StoreRequest} request
 * @returns {Promise<StoreAnswer>}
 */
function sendByXhr({ method, url, headers = {}, body, signal, onProgress }) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const xhr = new XMLHttpRequest();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let stalled;
    const stop = () => xhr.abort();
    const watch = () => {
      clearTimeout(stalled);
      stalled = setTimeout(stop, STALL_MS);
    };
    signal.addEventListener('abort', stop);
    xhr.upload.onprogress = (event) => {
      watch();
      onProgress(event.loaded);
    };
    xhr.onload = () => resolve({ status: xhr.status, text: xhr.responseText });
    xhr.onerror = () => reject(networkError('The store'));
    xhr.onabort = () => reject(signal.aborted ? signal.reason : networkError('The store'));
    xhr.onloadend = () => {
      clearTimeout(stalled);
      signal.removeEventListener('abort', stop);
    };
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    watch();
    xhr.send(body);
  });
}

/**
 * @param {StoreRequest} request
 * @returns {Promise<StoreAnswer>}
 */
async function sendByFetch({ method, url, headers = {}, body, signal, onProgress }) {
  try {
    const response = await fetch(url, { method, headers, body, signal });
    const answer = { status: response.status, text: await response.text() };
    if (response.ok && body instanceof Blob) onProgress(body.size);
    return answer;
  } catch {
    throw signal.aborted ? signal.reason : networkError('The store');
  }
}

/**
 * The store's answer as an error, unless it took the body. S3 says `RequestTimeout` with 400 when a body came too slowly.
 *
 * @param {StoreAnswer} answer
 */
export function mustAccept({ status, text }) {
  if (status >= 200 && status < 300) return;
  const code = /<Code>([^<]+)<\/Code>/.exec(text)?.[1];
  const retryable = isTransient(status) || code === 'RequestTimeout';
  const message = `The store refused the file (${code ?? status}).`;
  throw new UploadError({ code: 'store_refused', message, retryable, status, details: { store_code: code } });
}
