import { expect, test } from 'vitest';
import { missingLines, missingSummary } from './saved-recordings.ts';

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

test('what each of many Pods lacks is summed up for people, and is in the file for each', () => {
  const complete = { ...end, isComplete: true, reason: 'Complete', missed: 3 };
  const recordings = Array.from({ length: 20 }, (_, at) => ({
    name: `web-${at}`,
    download: { kind: 'downloaded' as const, gaps: [], end: { ...complete, dropped: at < 2 ? 5 : 0 } },
  }));
  expect(missingSummary({ recordings, warnings: [] })).toEqual([
    'web-0, web-1: 10 packets dropped',
    '20 Pods: at most 60 packets that passed while nothing was listening',
  ]);
  expect(missingLines({ recordings, warnings: [] })).toHaveLength(20);
});

test.for([
  ['DamagedFiles', 'web lacks 3 packets which could not be read'],
  ['Unknown', 'web lacks 3 packets for a reason that this version does not know'],
] as const)('what a gap lacks is said: %s', ([reason, line]) => {
  const download = {
    kind: 'downloaded' as const,
    gaps: [{ reason, packets: 3 }],
    end: { ...end, isComplete: true, reason: 'Complete' },
  };
  expect(missingLines({ recordings: [{ name: 'web', download }], warnings: [] })).toEqual([line]);
});
