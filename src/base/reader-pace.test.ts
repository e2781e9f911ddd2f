import { expect, test } from 'vitest';
import { type ReaderPace, readerPaceAfter, startingPace } from './reader-pace.ts';

const kib = 1_024;

function after(checks: readonly { readonly takenBytes: number; readonly wasIdle?: boolean }[]) {
  let pace: ReaderPace | 'tooSlow' = startingPace;
  for (const check of checks)
    if (pace !== 'tooSlow')
      pace = readerPaceAfter(pace, { wasIdle: false, checkEveryMs: 1_000, slowAfterMs: 60_000, ...check });
  return pace;
}

const seconds = (count: number, check: { readonly takenBytes: number; readonly wasIdle?: boolean }) =>
  Array.from({ length: count }, () => check);

test.each([
  ['takes nothing for a minute', seconds(60, { takenBytes: 0 }), 'tooSlow'],
  ['takes nothing for a little less', seconds(59, { takenBytes: 0 }), { behindMs: 59_000, takenBytes: 0 }],
  ['takes 63 KiB/s', seconds(60, { takenBytes: 63 * kib }), 'tooSlow'],
  ['takes 64 KiB/s', seconds(60, { takenBytes: 64 * kib }), startingPace],
  ['takes one large piece', [{ takenBytes: 60 * 64 * kib }, ...seconds(59, { takenBytes: 0 })], startingPace],
  [
    'has nothing to take once in a minute',
    [...seconds(59, { takenBytes: 0 }), { takenBytes: 0, wasIdle: true }, ...seconds(59, { takenBytes: 0 })],
    { behindMs: 59_000, takenBytes: 0 },
  ],
  [
    'is slow only in the second minute',
    [...seconds(60, { takenBytes: kib * kib }), ...seconds(60, { takenBytes: 0 })],
    'tooSlow',
  ],
] as const)('a reader that %s', (_what, checks, expected) => {
  expect(after(checks)).toEqual(expected);
});
