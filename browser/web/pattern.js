// Loaded by the pages and by the checks: the same bytes on both sides, without sending them.

/** `length` bytes that do not compress, always the same for one `seed` (xorshift, 32 bits). */
globalThis.pattern = (length, seed) => {
  const words = new Uint32Array(Math.ceil(length / 4));
  let word = seed;
  for (let index = 0; index < words.length; index += 1) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    words[index] = word;
  }
  return new Uint8Array(words.buffer, 0, length);
};
