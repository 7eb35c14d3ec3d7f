/** A file's way into the store, by whichever of the three grants it was given. */

import { sendParts } from './multipart.js';
import { mustAccept, send } from './request.js';
import { retrying } from './retry.js';

/**
 * @typedef {object} Sending
 * @property {Blob} file
 * @property {AbortSignal} signal
 * @property {readonly number[]} retryDelays
 * @property {number} partsAtOnce
 * @property {boolean} resumed whether the store may hold some of it
 * @property {(parts: number[]) => Promise<import('./api.js').Signed>} sign
 * @property {(sent: number) => void} onHeld what the store holds before anything is sent
 * @property {(sent: number) => void} onProgress
 */

/**
 * @param {import('./api.js').Grant} grant
 * @param {Sending} sending
 * @returns {Promise<void>}
 */
export async function sendFile(grant, sending) {
  switch (grant.method) {
    case 'put':
      return whole(sending, () => put(grant, sending));
    case 'post':
      return whole(sending, () => post(grant, sending));
    case 'multipart':
      return sendParts(grant, sending);
  }
}

/**
 * One request for the whole file: each try starts from the first byte.
 *
 * @param {Sending} sending
 * @param {() => Promise<void>} work
 */
function whole({ signal, retryDelays, onHeld }, work) {
  return retrying(retryDelays, signal, () => {
    onHeld(0);
    return work();
  });
}

/**
 * @param {import('./api.js').PutGrant} grant
 * @param {Sending} sending
 */
async function put({ url, headers }, { file, signal, onProgress }) {
  // Without a type of its own: the only content-type is the signed one.
  const body = file.slice(0, file.size, '');
  const answer = await send({ method: 'PUT', url, headers, body, signal, onProgress });
  // The object is there already: an earlier try arrived, and its answer was lost.
  if (answer.status !== 412) mustAccept(answer);
}

/**
 * @param {import('./api.js').PostGrant} grant
 * @param {Sending} sending
 */
async function post({ url, fields }, { file, signal, onProgress }) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  // The file's own name stays here: the key is the service's, and the name travelled in JSON.
  body.append('file', file, 'file');
  mustAccept(await send({ method: 'POST', url, body, signal, onProgress }));
}
