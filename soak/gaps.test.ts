import { expect, test } from 'vitest';
import { rememberGaps, type SeenCapture } from './gaps.ts';

test.each<[string, readonly SeenCapture[], number?]>([
  ['nothing', []],
  ['an unbroken run', [capture(1, [5, 6, 7])]],
  ['what a capture dropped', [capture(1, [1, 4], { dropped: 2 })]],
  ['what one dropped whose agent died with it', [capture(1, [1, 4], { wasCut: true }), capture(2, [5])]],
  ['what was missed before one', [capture(1, [1, 2]), capture(2, [5, 6], { missed: 2 })]],
  ['what was lost at the end of one', [capture(1, [1, 2], { dropped: 2 }), capture(2, [5, 6])]],
  [
    'captures between that heard nothing',
    [capture(1, [1]), capture(2, [], { missed: 1 }), capture(3, [4], { missed: 1 })],
  ],
  ['captures between whose records are gone', [capture(1, [1]), capture(4, [4])], 2],
  [
    'a gap that a later capture told, because the one after it died too early',
    [capture(1, [1]), capture(2, [4]), capture(3, [5], { missed: 2 })],
  ],
  ['what two captures both have', [capture(1, [1, 2, 3]), capture(2, [2, 3, 4])]],
  ['a later start of the sender', [capture(1, [5, 6, 2_000_000, 2_000_001])]],
  ['a later start in a later capture', [capture(1, [5, 6]), capture(2, [2_000_000])]],
])('%s is explained', (_what, captures, forgotten = 0) => {
  expect(unexplained({ captures, forgotten })).toEqual([]);
});

test.each<[string, readonly SeenCapture[], object]>([
  [
    'within a capture',
    [capture(1, [1, 4], { dropped: 1 })],
    { from: 1, to: 1, next: 4, missing: 2, told: 1 },
  ],
  [
    'within a capture, though enough was missed before it',
    [capture(1, [1, 4], { missed: 9 })],
    { from: 1, to: 1, missing: 2, told: 0 },
  ],
  ['twice within a capture', [capture(1, [1, 3, 5], { dropped: 1 })], { missing: 2, told: 1 }],
  [
    'between two captures, though enough was missed before the first',
    [capture(1, [1, 2], { missed: 9 }), capture(2, [5, 6], { missed: 1 })],
    { from: 1, to: 2, next: 5, missing: 2, told: 1 },
  ],
  [
    'before one that missed much itself',
    [capture(1, [1]), capture(2, [4]), capture(3, [105], { missed: 100 })],
    { from: 1, to: 2, next: 4, missing: 102, told: 100 },
  ],
  ['at a later start of the sender', [capture(1, [5, 2_000_002])], { missing: 2 }],
])('a gap %s is not', (_what, captures, gap) => {
  expect(unexplained({ captures })).toMatchObject([gap]);
});

test('a gap is remembered when its files are gone, and explained by what is counted later', () => {
  const gaps = rememberGaps();
  gaps.see(folder({ captures: [capture(1, [1, 2]), capture(2, [5, 6])] }));
  gaps.see(folder({ captures: [capture(1, []), capture(2, [6, 7])] }));
  expect(gaps.unexplained(folder({ captures: [capture(2, [6, 7])] }))).toMatchObject([
    { next: 5, missing: 2 },
  ]);
  expect(gaps.unexplained(folder({ captures: [capture(2, [6, 7], { missed: 2 })] }))).toEqual([]);
});

test('a gap between two captures that the first one fills later is none', () => {
  const gaps = rememberGaps();
  gaps.see(folder({ captures: [capture(1, [1, 2]), capture(2, [5, 6])] }));
  const filled = folder({ captures: [capture(1, [1, 2, 3, 4, 5]), capture(2, [5, 6])] });
  gaps.see(filled);
  expect(gaps.unexplained(filled)).toEqual([]);
});

test('the gaps of a folder that was there before are not its own', () => {
  const gaps = rememberGaps();
  gaps.see({ ...folder({ captures: [capture(1, [1, 9])] }), id: 'other' });
  expect(gaps.unexplained(folder({ captures: [capture(1, [1, 2])] }))).toEqual([]);
});

type Captures = { readonly captures: readonly SeenCapture[]; readonly forgotten?: number };

function folder({ captures, forgotten = 0 }: Captures) {
  return { id: 'a', captures, forgotten };
}

function unexplained(captures: Captures) {
  const gaps = rememberGaps();
  gaps.see(folder(captures));
  return gaps.unexplained(folder(captures));
}

function capture(
  generation: number,
  numbers: readonly number[],
  more: Partial<SeenCapture> = {},
): SeenCapture {
  return { generation, numbers, missed: 0, dropped: 0, wasCut: false, ...more };
}
