/** What can go wrong, as one error class. */

/**
 * A failure in words a person can read, with what a program needs beside them.
 *
 * `code` is the service's own (see its error table), or one of this client's: `network`, `cancelled`,
 * `store_refused`, `refused` (by the application's server, asked to begin), `unexpected_answer`. Before a byte is
 * sent, the limits are reported under the codes that the service would use.
 */
export class UploadError extends Error {
  /** @override */
  name = 'UploadError';

  /**
   * @param {object} facts
   * @param {string} facts.code for programs
   * @param {string} facts.message a sentence for people
   * @param {boolean} [facts.retryable] whether the same attempt may succeed later
   * @param {number | undefined} [facts.status] the HTTP status, where there was an answer
   * @param {Record<string, unknown> | undefined} [facts.details]
   * @param {number | undefined} [facts.retryAfter] seconds after which the server wants to be asked again, where it says
   */
  constructor({ code, message, retryable = false, status, details, retryAfter }) {
    super(message);
    this.code = code;
    this.retryable = retryable;
    this.status = status;
    this.details = details;
    this.retryAfter = retryAfter;
  }
}

/** Whether a server's own failure, or none to be reached, makes another try worth while without being asked. */
export const isTransient = (/** @type {number} */ status) =>
  status === 408 || status === 429 || status >= 500;

export const networkError = (/** @type {string} */ whom) =>
  new UploadError({
    code: 'network',
    message: `${whom} cannot be reached. Check the connection.`,
    retryable: true,
  });

/**
 * Whether the service no longer knows, or wants, what had begun.
 *
 * @param {unknown} error
 */
export function isGone(error) {
  if (!(error instanceof UploadError) || error.code === 'not_received') return false;
  return error.code === 'expired' || [401, 403, 404, 409, 410].includes(error.status ?? 0);
}

/**
 * What takes no more parts may have all of them: whether it has, completing tells.
 *
 * @param {unknown} error
 */
export function unlessOver(error) {
  if (!(error instanceof UploadError) || error.code !== 'upload_ended') throw error;
}
