import { expect, test } from 'vitest';
import { missingLines } from './saved-recordings.ts';

const end = { isComplete: false, bytes: 0, packets: 0, sha256: '' };
const linesOf = (known: { readonly reason: string; readonly message: string }) =>
  missingLines({
    recordings: [{ name: 'web', download: { kind: 'downloaded', gaps: [], end: { ...end, ...known } } }],
    warnings: [],
  });

test('a recording that was cut lacks what follows; one with damaged files lacks these, wherever they are', () => {
  expect(linesOf({ reason: 'HeldTooMuch', message: 'files were deleted' })).toEqual([
    'web lacks what follows the part that was sent (files were deleted)',
  ]);
  expect(linesOf({ reason: 'DamagedFiles', message: 'a file could not be read' })).toEqual([
    'web lacks what could not be read (a file could not be read)',
  ]);
});
