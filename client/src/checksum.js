/** Checksums over a file's whole content, for profiles that demand one before anything is sent. */

/**
 * @typedef {import('./api.js').Profile} Profile
 * @typedef {'put' | 'post' | 'multipart'} Method
 * @typedef {{algorithm: 'sha256' | 'crc64nvme', value: string}} Checksum the value in base64
 */

/** Up to here the browser's own SHA-256 is taken, which wants the whole file in memory; and no parts are made. */
const WHOLE = 64 * 2 ** 20;
/** What is read at once. */
const SLICE = 2 ** 20;

/**
 * What a begin must say where the profile demands a checksum: the checksum, and the method it is for, as a file sent in
 * parts takes another than one sent whole.
 *
 * @param {Blob} file
 * @param {Profile} profile
 * @param {Method | undefined} wanted
 * @param {AbortSignal} signal
 * @returns {Promise<{checksum: Checksum, method: Method} | undefined>}
 */
export async function demanded(file, profile, wanted, signal) {
  if (!profile.checksum) return undefined;
  const method = wanted ?? methodFor(file.size, profile.methods);
  const inParts = method === 'multipart' && profile.checksum === 'any';
  const value = await (inParts ? crc64(file, signal) : sha256(file, signal));
  return { checksum: { algorithm: inParts ? 'crc64nvme' : 'sha256', value }, method };
}

/**
 * As the service itself would choose.
 *
 * @param {number} size
 * @param {readonly string[]} methods
 * @returns {Method}
 */
function methodFor(size, methods) {
  /** @type {Method[]} */
  const order = size > WHOLE ? ['multipart', 'put', 'post'] : ['put', 'multipart', 'post'];
  return order.find((method) => methods.includes(method) && (method !== 'multipart' || size > 0)) ?? 'put';
}

/**
 * Hands over the bytes, slice by slice.
 *
 * @param {Blob} file
 * @param {AbortSignal} signal
 */
async function* slices(file, signal) {
  for (let at = 0; at < file.size; at += SLICE) {
    signal.throwIfAborted();
    yield new Uint8Array(await file.slice(at, at + SLICE).arrayBuffer());
  }
}

/** @param {Uint8Array} bytes */
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

/**
 * @param {Blob} file
 * @param {AbortSignal} signal
 */
async function sha256(file, signal) {
  // A page that came over plain http has no `crypto.subtle`.
  if (file.size <= WHOLE && globalThis.crypto?.subtle) {
    return base64(new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer())));
  }
  const hash = new Sha256();
  for await (const bytes of slices(file, signal)) hash.update(bytes);
  return base64(hash.digest());
}

/** The first 32 bits of the fractional parts of a root of the first primes (FIPS 180-4, sections 4.2.2 and 5.3.3). */
const roots = (/** @type {number} */ count, /** @type {number} */ power) => {
  /** @type {number[]} */
  const primes = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return primes.map((prime) => (prime ** power % 1) * 2 ** 32);
};
const ROUNDS = Int32Array.from(roots(64, 1 / 3), (value) => value | 0);

/** SHA-256 of bytes that come bit by bit (FIPS 180-4). */
export class Sha256 {
  #state = Int32Array.from(roots(8, 1 / 2), (value) => value | 0);
  #block = new Uint8Array(64);
  #words = new Int32Array(64);
  #length = 0;

  /** @param {Uint8Array} bytes */
  update(bytes) {
    for (let at = 0; at < bytes.length; ) {
      const filled = this.#length % 64;
      const piece = bytes.subarray(at, at + 64 - filled);
      this.#block.set(piece, filled);
      this.#length += piece.length;
      at += piece.length;
      if (this.#length % 64 === 0) this.#compress();
    }
  }

  digest() {
    const length = this.#length;
    const padding = new Uint8Array(((119 - (length % 64)) % 64) + 9);
    padding[0] = 0x80;
    const tail = new DataView(padding.buffer, padding.length - 8);
    tail.setUint32(0, Math.floor(length / 2 ** 29));
    tail.setUint32(4, (length * 8) >>> 0);
    this.update(padding);
    const digest = new DataView(new ArrayBuffer(32));
    this.#state.forEach((word, n) => {
      digest.setInt32(4 * n, word);
    });
    return new Uint8Array(digest.buffer);
  }

  #compress() {
    const words = this.#words;
    const at = (/** @type {number} */ n) => words[n] ?? 0;
    const turn = (/** @type {number} */ x, /** @type {number} */ by) => (x >>> by) | (x << (32 - by));
    const view = new DataView(this.#block.buffer);
    for (let n = 0; n < 16; n++) words[n] = view.getInt32(4 * n);
    for (let n = 16; n < 64; n++) {
      const [early, late] = [at(n - 15), at(n - 2)];
      const sum =
        (turn(early, 7) ^ turn(early, 18) ^ (early >>> 3)) +
        (turn(late, 17) ^ turn(late, 19) ^ (late >>> 10));
      words[n] = sum + at(n - 16) + at(n - 7);
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = this.#state;
    for (let n = 0; n < 64; n++) {
      const choice = (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g));
      const first = (h + choice + (ROUNDS[n] ?? 0) + at(n)) | 0;
      const second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, n) => {
      this.#state[n] = (this.#state[n] ?? 0) + word;
    });
  }
}

/** CRC-64/NVME's polynomial, reflected; in halves, as numbers have 53 bits. */
const [HIGH, LOW] = [0x9a6c9329, 0xac4bc9b5];
/** @type {[Int32Array, Int32Array] | undefined} */
let tables;

function crcTables() {
  if (tables) return tables;
  const [highs, lows] = [new Int32Array(256), new Int32Array(256)];
  for (let byte = 0; byte < 256; byte++) {
    let [high, low] = [0, byte];
    for (let bit = 0; bit < 8; bit++) {
      const odd = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (odd) [high, low] = [high ^ HIGH, low ^ LOW];
    }
    [highs[byte], lows[byte]] = [high, low];
  }
  tables = [highs, lows];
  return tables;
}

/**
 * @param {Blob} file
 * @param {AbortSignal} signal
 */
async function crc64(file, signal) {
  const [highs, lows] = crcTables();
  let [high, low] = [~0, ~0];
  for await (const bytes of slices(file, signal)) {
    for (const byte of bytes) {
      const index = (low ^ byte) & 255;
      low = ((low >>> 8) | (high << 24)) ^ (lows[index] ?? 0);
      high = (high >>> 8) ^ (highs[index] ?? 0);
    }
  }
  const digest = new DataView(new ArrayBuffer(8));
  digest.setInt32(0, ~high);
  digest.setInt32(4, ~low);
  return base64(new Uint8Array(digest.buffer));
}
