// The bulk stream, which both ends of a transfer make from a seed: 200 MB in messages of 0 bytes to 1 MiB.
import { createCipheriv, createHash } from 'node:crypto';

export const BULK_BYTES = 200_000_000;
const MESSAGE_BYTES_MAX = 1 << 20;
const POOL_BYTES = 8 << 20;
const SENDS_UNDER_WAY_MAX = 4;

export const SEEDS = { up: 1, down: 2 };
// Behind the stream, from the backend: the digest of what it received, and of what it sent.
export const VERDICT_BYTES = 64;

const key = Buffer.alloc(16, 'tidegate bulk');
const pool = createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(POOL_BYTES));

// Xorshift: no more is asked of it than to be the same for the same seed.
function numbers(seed) {
  let state = (seed * 0x9e3779b1) >>> 0;
  return (below) => {
    state = (state ^ (state << 13)) >>> 0;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state % below;
  };
}

// Each message is a piece of the pool from a random place.
export function* messages(seed) {
  const number = numbers(seed);
  for (let left = BULK_BYTES; left > 0;) {
    const size = Math.min(left, number(MESSAGE_BYTES_MAX + 1));
    const start = number(POOL_BYTES - size);
    left -= size;
    yield pool.subarray(start, start + size);
  }
}

// What came of a stream, or went; with `borders`, where each message ended counts, too.
export class Sum {
  #hash = createHash('sha256');
  #borders;
  bytes = 0;

  constructor(borders) { this.#borders = borders; }

  add(message) {
    this.bytes += message.length;
    this.#hash.update(message);
    if (this.#borders) this.#hash.update(`,${message.length},`);
  }

  digest() { return this.#hash.digest(); }
}

// The digest of all that was sent; `send` takes a message and a callback for when it has left, or cannot: what
// becomes of the connection is seen elsewhere.
export async function sendAll(seed, borders, send) {
  const sum = new Sum(borders);
  const underWay = [];
  for (const message of messages(seed)) {
    sum.add(message);
    underWay.push(new Promise((resolve) => { send(message, resolve); }));
    if (underWay.length >= SENDS_UNDER_WAY_MAX) await underWay.shift();
  }
  await Promise.all(underWay);
  return sum.digest();
}
