import { expect, test } from 'vitest';
import { unaskedBytes } from './unasked-bytes.ts';

const MiB = 1024 * 1024;
const everyMs = 5_000;

/** When the peer has sent too much, in looks; undefined if it never has. */
function looksUntilTooMuch(came: { readonly receivedBytes: number; readonly askedBytes: number }) {
  let nowMs = 0;
  const unasked = unaskedBytes(16 * MiB, () => nowMs);
  for (let look = 1; look <= 1_000; look += 1) {
    nowMs += everyMs;
    if (unasked.isTooMuch(came)) return look;
  }
  return undefined;
}

test.each([
  ['nothing', 0, 0],
  ['the heads of many small answers', 1 * MiB, 0],
  ['a recording', 500 * MiB, 499 * MiB],
  ['data in small frames, with what TLS adds', 20 * MiB, 14 * MiB],
])('%s is never too much', (_what, receivedBytes, askedBytes) => {
  expect(looksUntilTooMuch({ receivedBytes, askedBytes })).toBeUndefined();
});

test.each([
  ['frames alone', 100 * MiB, 0, 1],
  ['frames beside a recording', 300 * MiB, 100 * MiB, 1],
  ['data of one byte in each frame', 100 * MiB, 10 * MiB, 1],
  ['a slow flood', 3 * MiB, 0, 10],
])('%s are too much', (_what, receivedBytes, askedBytes, looks) => {
  expect(looksUntilTooMuch({ receivedBytes, askedBytes })).toBe(looks);
});
