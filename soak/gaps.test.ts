import { expect, test } from 'vitest';
import { gapHistory, type ObservedCapture } from './gaps.ts';

test.each<[string, readonly ObservedCapture[], number?]>([
  ['an empty folder', []],
  ['a capture without a gap', [capture(1, [5, 6, 7])]],
  ['what a capture dropped', [capture(1, [1, 4], { dropped: 2 })]],
  [
    'what a capture dropped that died with its agent',
    [capture(1, [1, 4], { wasCut: true }), capture(2, [5])],
  ],
  ['what was missed before a capture', [capture(1, [1, 2]), capture(2, [5, 6], { missed: 2 })]],
  ['what was lost at the end of a capture', [capture(1, [1, 2], { dropped: 2 }), capture(2, [5, 6])]],
  [
    'captures in between that captured nothing',
    [capture(1, [1]), capture(2, [], { missed: 1 }), capture(3, [4], { missed: 1 })],
  ],
  ['captures in between whose records are deleted', [capture(1, [1]), capture(4, [4])], 2],
  [
    'a gap that a later capture reports, because the one after it died too early',
    [capture(1, [1]), capture(2, [4]), capture(3, [5], { missed: 2 })],
  ],
  [
    'what was pruned between a frozen ring and the ring',
    [capture(1, [1]), capture(4, [9], { followsHole: true })],
  ],
  ['what two captures both have', [capture(1, [1, 2, 3]), capture(2, [2, 3, 4])]],
  ['a later start of the sender', [capture(1, [5, 6, 2_000_000, 2_000_001])]],
  ['a later start in a later capture', [capture(1, [5, 6]), capture(2, [2_000_000])]],
])('explains %s', (_what, captures, forgotten = 0) => {
  expect(unexplained({ captures, forgotten })).toEqual([]);
});

test.each<[string, readonly ObservedCapture[], object]>([
  [
    'within a capture',
    [capture(1, [1, 4], { dropped: 1 })],
    { from: 1, to: 1, next: 4, missing: 2, reported: 1 },
  ],
  [
    'within a capture, though enough was missed before it',
    [capture(1, [1, 4], { missed: 9 })],
    { from: 1, to: 1, missing: 2, reported: 0 },
  ],
  ['twice within a capture', [capture(1, [1, 3, 5], { dropped: 1 })], { missing: 2, reported: 1 }],
  [
    'between two captures, though enough was missed before the first',
    [capture(1, [1, 2], { missed: 9 }), capture(2, [5, 6], { missed: 1 })],
    { from: 1, to: 2, next: 5, missing: 2, reported: 1 },
  ],
  [
    'before a capture that missed many itself',
    [capture(1, [1]), capture(2, [4]), capture(3, [105], { missed: 100 })],
    { from: 1, to: 2, next: 4, missing: 102, reported: 100 },
  ],
  [
    'after a hole',
    [capture(1, [1]), capture(4, [9], { followsHole: true }), capture(5, [12])],
    { from: 4, to: 5, next: 12, missing: 2 },
  ],
  ['at a later start of the sender', [capture(1, [5, 2_000_002])], { missing: 2 }],
])('does not explain a gap %s', (_what, captures, gap) => {
  expect(unexplained({ captures })).toMatchObject([gap]);
});

test('remembers a gap when its files are deleted, and explains it by what is counted later', () => {
  const gaps = gapHistory();
  gaps.observe(folder({ captures: [capture(1, [1, 2]), capture(2, [5, 6])] }));
  gaps.observe(folder({ captures: [capture(1, []), capture(2, [6, 7])] }));
  expect(gaps.unexplained(folder({ captures: [capture(2, [6, 7])] }))).toMatchObject([
    { next: 5, missing: 2 },
  ]);
  expect(gaps.unexplained(folder({ captures: [capture(2, [6, 7], { missed: 2 })] }))).toEqual([]);
});

test('forgets a gap between two captures that the first one fills later', () => {
  const gaps = gapHistory();
  gaps.observe(folder({ captures: [capture(1, [1, 2]), capture(2, [5, 6])] }));
  const filled = folder({ captures: [capture(1, [1, 2, 3, 4, 5]), capture(2, [5, 6])] });
  gaps.observe(filled);
  expect(gaps.unexplained(filled)).toEqual([]);
});

test('does not take the gaps of an earlier folder for those of the next', () => {
  const gaps = gapHistory();
  gaps.observe({ ...folder({ captures: [capture(1, [1, 9])] }), id: 'other' });
  expect(gaps.unexplained(folder({ captures: [capture(1, [1, 2])] }))).toEqual([]);
});

type Captures = { readonly captures: readonly ObservedCapture[]; readonly forgotten?: number };

function folder({ captures, forgotten = 0 }: Captures) {
  return { id: 'a', name: 'eth0', captures, forgotten };
}

function unexplained(captures: Captures) {
  const gaps = gapHistory();
  gaps.observe(folder(captures));
  return gaps.unexplained(folder(captures));
}

function capture(
  generation: number,
  numbers: readonly number[],
  more: Partial<ObservedCapture> = {},
): ObservedCapture {
  return { generation, numbers, missed: 0, dropped: 0, wasCut: false, followsHole: false, ...more };
}
