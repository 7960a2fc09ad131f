// How a check is run and how its result is told: "ok NAME", or "not ok NAME — reason".
import { isDeepStrictEqual } from 'node:util';

const CHECK_MILLISECONDS_MAX = 60_000;

let failed = 0;

export const anyFailed = () => failed > 0;

export async function check(name, body) {
  let timer;
  const tooLate = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${CHECK_MILLISECONDS_MAX / 1000} s`)), CHECK_MILLISECONDS_MAX);
  });
  try {
    await Promise.race([body(), tooLate]);
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${name} — ${String(error.message).replace(/\s+/g, ' ')}`);
  } finally {
    clearTimeout(timer);
  }
}

export function equal(what, found, wanted) {
  if (!isDeepStrictEqual(found, wanted)) {
    throw new Error(`${what}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);
  }
}

// Like equal, for payloads too long to print.
export function sameBytes(what, found, wanted) {
  if (!found.equals(wanted)) {
    throw new Error(`${what}: ${found.length} bytes instead of ${wanted.length}, or other ones`);
  }
}
