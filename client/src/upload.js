/**
 * One file's upload, from the checks before its first byte to its end.
 *
 * ```
 * checking ─► waiting ─► sending ─► completing ─► ready (to be claimed) or stored
 *     │          │ ▲      │ │           │
 *     │          ▼ │      ▼ │           │
 *     │          paused ◄─┘ │           │        cancelled: from anywhere before stored
 *     └──────────┴─► failed ◄───────────┘        retry: failed ─► waiting
 * ```
 */

import { sentence } from './api.js';
import { demanded } from './checksum.js';
import { isGone, UploadError, unlessOver } from './errors.js';
import { check, UNKNOWN_TYPE } from './limits.js';
import { Meter } from './progress.js';
import { sendFile } from './send.js';

/**
 * @typedef {import('./api.js').Begun} Begun
 * @typedef {import('./api.js').BeginRequest} BeginRequest
 * @typedef {import('./api.js').UploadRecord} UploadRecord
 *
 * @typedef {'checking' | 'waiting' | 'sending' | 'paused' | 'completing' | 'ready' | 'stored' | 'failed'
 *   | 'cancelled'} UploadState
 *
 * @typedef {object} UploadOptions
 * @property {string} [profile] the rules to upload by; an application's server that begins may decide for itself
 * @property {string} [filename] for a Blob without a name, or to give another one
 * @property {Record<string, string>} [metadata] form data that belongs to this file
 * @property {'put' | 'post' | 'multipart'} [method] instead of the service's own choice
 * @property {string | import('./api.js').Begin} [begin] the application's own server begins: where it is asked to, or a
 *   function that asks it and gives its answer, which is what `POST /v1/uploads` answered there
 * @property {AbortSignal} [signal] cancels the upload
 *
 * @typedef {object} Surroundings what a client shares among its uploads
 * @property {import('./api.js').Api} api
 * @property {import('./queue.js').Queue} queue
 * @property {readonly number[]} retryDelays
 * @property {number} partsAtOnce
 */

/** Where a pause finds something to stop. @type {ReadonlySet<UploadState>} */
const PAUSABLE = new Set(['waiting', 'sending']);
/** @type {ReadonlySet<UploadState>} */
const OVER = new Set(['stored', 'cancelled']);
/** The service's states that are ends without a file. @type {ReadonlySet<string>} */
const ENDED = new Set(['rejected', 'expired', 'aborted']);
/** What arrived may turn out not to have: it is sent so many times in all. */
const SENDINGS = 3;

export class Upload {
  /** @type {Blob} */
  file;
  /** @type {string} */
  name;

  #with;
  #options;
  #meter;
  #events = new EventTarget();
  /** @type {UploadState} */
  #state = 'checking';
  /** @type {UploadError | undefined} */
  #error;
  /** @type {UploadRecord | undefined} */
  #record;
  /** @type {Begun | undefined} */
  #begun;
  /** The rules it goes by, where they are known here. @type {import('./api.js').Profile | undefined} */
  #profile;
  /** What the rules demand to be said of the content. @type {Awaited<ReturnType<typeof demanded>>} */
  #demanded;
  /** Begins that are repeated get the same upload, until that is left behind. */
  #key = randomKey();
  /** Whether the store answered that it has all of it. */
  #arrived = false;
  #run = new AbortController();
  #outcome = new Outcome();

  /**
   * @param {Blob} file
   * @param {UploadOptions} options
   * @param {Surroundings} surroundings
   */
  constructor(file, options, surroundings) {
    this.file = file;
    this.name = options.filename ?? (file instanceof File ? file.name : 'file');
    this.#options = options;
    this.#with = surroundings;
    this.#meter = new Meter(file.size);
    options.signal?.addEventListener('abort', () => this.cancel(), { once: true });
    if (options.signal?.aborted) this.cancel();
    else this.#start();
  }

  /** The upload's id, once it has begun; it becomes the file's. */
  get id() {
    return this.#begun?.id ?? this.#record?.id;
  }

  get state() {
    return this.#state;
  }

  /** How it is sent, once it has begun. */
  get method() {
    return this.#begun?.grant.method;
  }

  /** Bytes, rate and time left. */
  get progress() {
    return this.#meter.progress;
  }

  /** Why it failed or was cancelled. */
  get error() {
    return this.#error;
  }

  /** The service's record, once `ready` or `stored`. */
  get record() {
    return this.#record;
  }

  /** Until when the service keeps what was sent, if nothing more happens. */
  get expiresAt() {
    const at = this.#record?.expires_at ?? this.#begun?.expires_at;
    return at === undefined ? undefined : new Date(at);
  }

  /**
   * Resolves with the service's record when the upload is `ready` or `stored`; rejects with an `UploadError` when it
   * failed or was cancelled. It outlives pauses; after `retry()` it is a new promise.
   *
   * @returns {Promise<UploadRecord>}
   */
  get done() {
    return this.#outcome.promise;
  }

  /**
   * Listens for changes of the state or of the progress; the returned function stops that.
   *
   * @param {'state' | 'progress'} type
   * @param {(upload: Upload) => void} listener
   * @returns {() => void}
   */
  on(type, listener) {
    const heard = () => listener(this);
    this.#events.addEventListener(type, heard);
    return () => this.#events.removeEventListener(type, heard);
  }

  /**
   * Stops sending. Parts that have arrived stay; a file sent whole starts over at `resume()`, by the same grant while
   * that lives. Does nothing once everything is sent.
   */
  pause() {
    if (!PAUSABLE.has(this.#state)) return;
    this.#run.abort();
    this.#become('paused');
  }

  /** Goes on with what the store does not hold yet. */
  resume() {
    if (this.#state === 'paused') this.#start();
  }

  /** Tries a failed upload again; what the store holds is not sent again. */
  retry() {
    if (this.#state !== 'failed') return;
    this.#error = undefined;
    this.#outcome = new Outcome();
    this.#start();
  }

  /** Ends the upload, here and at the service. A stored file stays. */
  cancel() {
    if (OVER.has(this.#state)) return;
    this.#run.abort();
    this.#drop();
    this.#end('cancelled', new UploadError({ code: 'cancelled', message: `“${this.name}” was cancelled.` }));
  }

  #start() {
    this.#run = new AbortController();
    this.#pass(this.#run.signal);
  }

  /**
   * From wherever the upload is to its end, or to an abort by whoever then says what the state is.
   *
   * @param {AbortSignal} signal
   */
  async #pass(signal) {
    try {
      await this.#check();
      signal.throwIfAborted();
      this.#become('waiting');
      const leave = await this.#with.queue.take(signal);
      const record = await this.#carry(signal).finally(leave);
      signal.throwIfAborted();
      this.#record = record;
      this.#become(record.state === 'stored' ? 'stored' : 'ready');
      this.#outcome.resolve(record);
    } catch (error) {
      if (signal.aborted) return;
      this.#fail(error);
    }
  }

  async #check() {
    const { profile: name, begin } = this.#options;
    const { api } = this.#with;
    // Where the application's server begins it may be the only one who knows the rules.
    if (this.#begun || (begin && !(name && api.isKnown))) return;
    const profile = await api.profile(name ?? '');
    const { size, type } = this.file;
    const broken = check({ name: this.name, size, type }, profile);
    if (broken) throw broken;
    this.#profile = profile;
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<UploadRecord>}
   */
  async #carry(signal) {
    if (this.#begun) {
      try {
        return await this.#deliver(this.#begun, true, signal);
      } catch (error) {
        // What an earlier run began has expired or ended since: begin again.
        if (!isGone(error)) throw error;
        this.#drop();
      }
    }
    this.#become('sending');
    const begun = await this.#begin(signal);
    return this.#deliver(begun, false, signal);
  }

  /** @param {AbortSignal} signal */
  async #begin(signal) {
    const { profile, metadata, method, begin } = this.#options;
    const { size, type } = this.file;
    /** @type {BeginRequest} */
    const request = { filename: this.name, content_type: type || UNKNOWN_TYPE, size };
    if (profile) request.profile = profile;
    if (metadata) request.metadata = metadata;
    if (method) request.method = method;
    if (this.#profile) this.#demanded ??= await demanded(this.file, this.#profile, method, signal);
    Object.assign(request, this.#demanded);
    const { api } = this.#with;
    const begun = await api.begin(request, begin, { signal, idempotencyKey: this.#key });
    // Cancelled in between: nobody else will ever know of it. Paused: the next begin gets the same again.
    if (this.#state === 'cancelled') api.abort(begun).catch(() => {});
    signal.throwIfAborted();
    this.#begun = begun;
    return begun;
  }

  /**
   * @param {Begun} begun
   * @param {boolean} resumed
   * @param {AbortSignal} signal
   * @returns {Promise<UploadRecord>}
   */
  async #deliver(begun, resumed, signal) {
    for (let sendings = 1; ; sendings++) {
      if (!this.#arrived) await this.#send(begun, resumed || sendings > 1, signal).catch(unlessOver);
      signal.throwIfAborted();
      this.#arrived = true;
      this.#become('completing');
      try {
        return await this.#complete(begun, signal);
      } catch (error) {
        if (!(error instanceof UploadError) || error.code !== 'not_received') throw error;
        this.#arrived = false;
        if (sendings === SENDINGS) throw error;
      }
    }
  }

  /**
   * @param {Begun} begun
   * @param {boolean} resumed
   * @param {AbortSignal} signal
   */
  #send(begun, resumed, signal) {
    this.#become('sending');
    const { api, retryDelays, partsAtOnce } = this.#with;
    return sendFile(begun.grant, {
      file: this.file,
      signal,
      retryDelays,
      partsAtOnce,
      resumed,
      sign: (parts) => api.sign(begun, parts, signal),
      onHeld: (sent) => {
        this.#meter.restart(sent, performance.now());
        this.#tell('progress');
      },
      onProgress: (sent) => {
        if (signal.aborted) return;
        this.#meter.update(sent, performance.now());
        this.#tell('progress');
      },
    });
  }

  /**
   * @param {Begun} begun
   * @param {AbortSignal} signal
   * @returns {Promise<UploadRecord>}
   */
  async #complete(begun, signal) {
    const { api } = this.#with;
    let record = await api.complete(begun, signal);
    while (record.state === 'received' || record.state === 'issued') record = await api.look(begun, signal);
    if (!ENDED.has(record.state)) return record;
    const message = sentence(record.reason?.message ?? `“${this.name}” is ${record.state}`);
    const retryable = record.state === 'expired';
    throw new UploadError({
      code: record.state,
      message,
      retryable,
      details: { reason: record.reason?.code },
    });
  }

  /** @param {unknown} cause */
  #fail(cause) {
    const error = cause instanceof UploadError ? cause : unforeseen(cause);
    if (!error.retryable || ENDED.has(error.code)) this.#drop(ENDED.has(error.code));
    this.#end('failed', error);
  }

  /**
   * @param {'failed' | 'cancelled'} state
   * @param {UploadError} error
   */
  #end(state, error) {
    this.#error = error;
    this.#become(state);
    this.#outcome.reject(error);
  }

  /**
   * Leaves what was begun behind, and says so to the service, which would find out by itself at its expiry.
   *
   * @param {boolean} [ended] the service knows already
   */
  #drop(ended = false) {
    if (this.#begun && !ended) this.#with.api.abort(this.#begun).catch(() => {});
    this.#begun = undefined;
    this.#arrived = false;
    this.#key = randomKey();
  }

  /** @param {UploadState} state */
  #become(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.#tell('state');
  }

  /** @param {'state' | 'progress'} type */
  #tell(type) {
    this.#events.dispatchEvent(new Event(type));
  }
}

/** A promise settled from outside; nobody needs to look at it. */
class Outcome {
  /** @type {(record: UploadRecord) => void} */
  resolve = () => {};
  /** @type {(error: UploadError) => void} */
  reject = () => {};
  /** @type {Promise<UploadRecord>} */
  promise = new Promise((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor() {
    this.promise.catch(() => {});
  }
}

/** Unlike `crypto.randomUUID`, also on pages that are not served by HTTPS. */
const randomKey = () =>
  Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('');

/** @param {unknown} cause */
function unforeseen(cause) {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new UploadError({ code: 'unexpected', message, retryable: true });
}
