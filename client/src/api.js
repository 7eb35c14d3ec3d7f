/** Loadlock's HTTP API, as far as an upload needs it: begin, sign, complete, look, abort. */

import { isTransient, networkError, UploadError } from './errors.js';
import { retrying } from './retry.js';

/**
 * @typedef {{method: 'put', url: string, headers: Record<string, string>, expires_at: string}} PutGrant
 * @typedef {{method: 'post', url: string, fields: Record<string, string>, expires_at: string}} PostGrant
 * @typedef {{number: number, url: string, headers: Record<string, string>, size: number}} Part
 * @typedef {{method: 'multipart', part_size: number, parts: Part[], expires_at: string}} MultipartGrant
 * @typedef {PutGrant | PostGrant | MultipartGrant} Grant
 *
 * @typedef {object} BeginRequest what a begin asks for; all that is said here is signed, and checked at the end
 * @property {string} [profile] the service wants one; an application's server may decide for itself
 * @property {string} filename
 * @property {string} content_type
 * @property {number} size bytes
 * @property {Record<string, string>} [metadata]
 * @property {'put' | 'post' | 'multipart'} [method]
 * @property {import('./checksum.js').Checksum} [checksum] where the profile demands one
 *
 * @typedef {object} Begun what a begin answers
 * @property {string} id
 * @property {'issued'} state
 * @property {string} token the upload token
 * @property {string} expires_at
 * @property {Grant} grant
 * @property {string} [api] the service's address
 *
 * @typedef {{signal: AbortSignal, idempotencyKey: string}} Asking the key is the same however often one upload is asked for
 * @typedef {(request: BeginRequest, asking: Asking) => Promise<Begun>} Begin
 *
 * @typedef {{part_size: number, held: {number: number, size: number}[], parts: Part[], expires_at: string}} Signed
 *
 * @typedef {object} FileRecord the lasting record of a promoted upload
 * @property {string} id
 * @property {string} profile
 * @property {string} owner
 * @property {string} filename
 * @property {string} content_type
 * @property {number} size
 * @property {number} [width]
 * @property {number} [height]
 * @property {Record<string, string>} metadata
 * @property {string} created_at
 * @property {string} content_url the stable address
 * @property {string} [url] a display URL, until `url_expires_at`
 * @property {string} [url_expires_at]
 *
 * @typedef {object} UploadRecord an upload as the service tells of it
 * @property {string} id
 * @property {'issued' | 'received' | 'ready' | 'stored' | 'rejected' | 'expired' | 'aborted'} state
 * @property {string} profile
 * @property {string} filename
 * @property {string} content_type
 * @property {number} size
 * @property {string} created_at
 * @property {string} expires_at
 * @property {{code: string, message: string}} [reason]
 * @property {FileRecord} [file]
 *
 * @typedef {object} Profile the rules a client may know before a file is chosen
 * @property {string} name
 * @property {string[]} types
 * @property {string[]} [extensions]
 * @property {number} min_size
 * @property {number} max_size
 * @property {string[]} methods
 * @property {'on_complete' | 'on_claim'} promote
 * @property {Record<string, {required: boolean, max_length: number, values?: string[], pattern?: string}>} metadata
 * @property {'take' | 'refuse'} [other_metadata] what becomes of form data that is not listed
 * @property {'any' | 'sha256'} [checksum] which checksum of the content must be given
 * @property {boolean} [anonymous] whether an upload may begin without a token
 * @property {number} [max_files]
 *
 * @typedef {string | (() => string | Promise<string>)} Token a user's token, or where to get a fresh one
 */

export class Api {
  #base;
  #token;
  #delays;
  /** @type {Map<string, Promise<Profile>>} */
  #profiles = new Map();

  /** @param {{api: string | undefined, token: Token | undefined, retryDelays: readonly number[]}} options */
  constructor({ api, token, retryDelays }) {
    this.#base = api;
    this.#token = token;
    this.#delays = retryDelays;
  }

  /** Whether it knows the service before anything has begun. */
  get isKnown() {
    return this.#base !== undefined;
  }

  /**
   * The profile's rules, asked for once.
   *
   * @param {string} name
   * @returns {Promise<Profile>}
   */
  profile(name) {
    let answer = this.#profiles.get(name);
    if (!answer) {
      answer = this.#call('GET', this.#url(`/v1/profiles/${encodeURIComponent(name)}`), { signal: NEVER });
      answer.catch(() => this.#profiles.delete(name));
      this.#profiles.set(name, answer);
    }
    return answer;
  }

  /**
   * Lets the service begin, or whoever the page says: its own server's address, or a function.
   *
   * @param {BeginRequest} request
   * @param {string | Begin | undefined} by
   * @param {Asking} asking
   * @returns {Promise<Begun>}
   */
  async begin(request, by, asking) {
    const answer = await (typeof by === 'function' ? by(request, asking) : this.#begin(request, by, asking));
    if (answer?.id && answer.token && answer.grant) return answer;
    throw refusal(undefined, answer);
  }

  /**
   * @param {BeginRequest} body
   * @param {string | undefined} address
   * @param {Asking} asking
   * @returns {Promise<Begun>}
   */
  async #begin(body, address, { signal, idempotencyKey }) {
    const headers = { 'idempotency-key': idempotencyKey };
    if (address !== undefined) return this.#call('POST', address, { headers, body, signal });
    const token = typeof this.#token === 'function' ? await this.#token() : this.#token;
    return this.#call('POST', this.#url('/v1/uploads'), { headers, token, body, signal });
  }

  /**
   * What the store holds, and fresh URLs for the parts asked for.
   *
   * @param {Begun} begun
   * @param {number[]} parts
   * @param {AbortSignal} signal
   * @returns {Promise<Signed>}
   */
  sign({ id, token, api }, parts, signal) {
    return this.#call('POST', this.#url(`/v1/uploads/${id}/parts`, api), { token, body: { parts }, signal });
  }

  /**
   * @param {Begun} begun
   * @param {AbortSignal} signal
   * @returns {Promise<UploadRecord>}
   */
  complete({ id, token, api }, signal) {
    return this.#call('POST', this.#url(`/v1/uploads/${id}/complete`, api), { token, signal });
  }

  /**
   * The upload as soon as it is ready, stored or ended, or as it is after half a minute.
   *
   * @param {Begun} begun
   * @param {AbortSignal} signal
   * @returns {Promise<UploadRecord>}
   */
  look({ id, token, api }, signal) {
    return this.#call('GET', this.#url(`/v1/uploads/${id}?wait=30`, api), { token, signal });
  }

  /**
   * @param {Begun} begun
   * @returns {Promise<UploadRecord>}
   */
  abort({ id, token, api }) {
    return this.#call('DELETE', this.#url(`/v1/uploads/${id}`, api), { token, signal: NEVER });
  }

  /**
   * One call, repeated while it fails in passing: every call here may be repeated.
   *
   * @param {string} method
   * @param {string} url
   * @param {object} options
   * @param {Record<string, string>} [options.headers]
   * @param {string | undefined} [options.token]
   * @param {unknown} [options.body]
   * @param {AbortSignal} options.signal
   * @returns {Promise<any>} the answer's JSON object
   */
  #call(method, url, { headers = {}, token, body, signal }) {
    headers.accept = 'application/json';
    if (token) headers.authorization = `Bearer ${token}`;
    if (body) headers['content-type'] = 'application/json';
    /** @type {RequestInit} */
    const request = { method, headers, signal, keepalive: method === 'DELETE', cache: 'no-store' };
    if (body) request.body = JSON.stringify(body);
    return retrying(this.#delays, signal, () => exchange(url, request));
  }

  /**
   * @param {string} path
   * @param {string | undefined} [api] where the upload began
   */
  #url(path, api = this.#base) {
    if (api !== undefined) return api.replace(/\/+$/, '') + path;
    const message = 'Neither the page nor its server says where the service is (`api`).';
    throw new UploadError({ code: 'unexpected', message });
  }
}

const NEVER = new AbortController().signal;

/**
 * @param {string} url
 * @param {RequestInit} request
 * @returns {Promise<object>}
 */
async function exchange(url, request) {
  let response;
  let text;
  try {
    response = await fetch(url, request);
    text = await response.text();
  } catch (error) {
    if (request.signal?.aborted) throw request.signal.reason;
    throw error instanceof TypeError || error instanceof DOMException ? networkError('The server') : error;
  }
  const answer = parse(text);
  if (response.ok && answer && !('error' in answer)) return answer;
  throw refusal(response.status, answer, response.headers);
}

/**
 * @param {string} text
 * @returns {Record<string, any> | undefined} the JSON object in it, if it is one
 */
function parse(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {number | undefined} status
 * @param {Record<string, any> | undefined} answer the service's own, or what an application's server says in its stead
 * @param {Headers} [headers]
 */
function refusal(status, answer, headers) {
  const error = answer?.error;
  // An application's server may pass the service's words on without its headers.
  const retryAfter = Number(headers?.get('retry-after') ?? error?.details?.retry_after) || undefined;
  if (typeof error?.code === 'string' && typeof error.message === 'string') {
    const { code, message, retryable, details } = error;
    return new UploadError({
      code,
      message: sentence(message),
      retryable: retryable === true,
      status,
      details,
      retryAfter,
    });
  }
  const retryable = status !== undefined && isTransient(status);
  const said = [error, answer?.message, answer?.detail].find((words) => words && typeof words === 'string');
  if (said)
    return new UploadError({ code: 'refused', message: sentence(said), retryable, status, retryAfter });
  const message = `The server's answer${status ? ` (${status})` : ''} is not one of Loadlock's.`;
  return new UploadError({ code: 'unexpected_answer', message, retryable, status, retryAfter });
}

/**
 * A service's message, which is a clause with its names in backticks as logs want them, for people to read alone.
 *
 * @param {string} message
 */
export function sentence(message) {
  const text = message.replace(/`([^`]*)`/g, '“$1”');
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}
