import { expect, test } from 'vitest';
import { writtenFiles } from './written-files.ts';

const written = (indices: readonly number[], lastIndex = -1) =>
  writtenFiles(
    indices.map((index) => ({ index })),
    lastIndex,
  ).map(({ index }) => index);

test.each([
  ['nothing', [], []],
  ['a run, in its order', [3, 1, 2], [1, 2, 3]],
  ['a ring of which somebody has deleted a file', [0, 1, 3, 4], [0, 1, 3, 4]],
  ['a ring, without an index that it cannot have come to', [0, 1, 2, 999_999_999], [0, 1, 2]],
  ['an old ring, without an index that it has left long ago', [0, 70_000, 70_001], [70_000, 70_001]],
  ['the only file of a new ring', [0, 999_999_999], [0]],
])('of what is there, tcpdump has written %s', (_what, indices, expected) => {
  expect(written(indices)).toEqual(expected);
});

test('what is followed goes on, however many files are elsewhere', () => {
  expect(written([5, 6, 500, 501, 502], 5)).toEqual([5, 6]);
});

test('a ring whose files have all been deleted since goes on with what is there', () => {
  expect(written([40, 41], 5)).toEqual([40, 41]);
});
