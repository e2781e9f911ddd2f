import fc from 'fast-check';
import { expect, test } from 'vitest';
import { indexCount } from './file-names.ts';
import { orderByAge } from './ring-order.ts';

const last = indexCount - 1;
const file = (generation: number, index: number) => ({ name: `${generation}.${index}`, generation, index });

test.each([
  ['nothing', [], []],
  ['one file', [7], [7]],
  ['in the middle', [3, 4, 5], [3, 4, 5]],
  ['from the first one on', [2, 0, 1], [0, 1, 2]],
  ['across the last index', [last - 1, last, 0, 1], [last - 1, last, 0, 1]],
  ['with only 0 after the last index', [0, last, last - 1], [last - 1, last, 0]],
  ['with a file that was deleted in between', [last - 2, last, 0, 1], [last - 2, last, 0, 1]],
])('orders by age: %s', (_what, indices, ordered) => {
  const files = indices.map((index) => file(1, index));
  expect(orderByAge(files, new Set()).map(({ index }) => index)).toEqual(ordered);
});

test('orders by generation first: files of a later start of tcpdump are newer, whatever their indices', () => {
  const files = [file(10, 0), file(9, 5), file(2, last), file(2, 0)];
  expect(orderByAge(files, new Set()).map(({ generation, index }) => `${generation}.${index}`)).toEqual([
    '2.999999999',
    '2.0',
    '9.5',
    '10.0',
  ]);
});

test('takes generations that no agent started for older than all others', () => {
  const files = [file(999_999_999, 0), file(2, 1), file(2, 0), file(1, 0), file(3, 0)];
  const ordered = orderByAge(files, new Set([2, 3]));
  expect(ordered.map(({ generation, index }) => `${generation}.${index}`)).toEqual([
    '1.0',
    '999999999.0',
    '2.0',
    '2.1',
    '3.0',
  ]);
});

test('orders more files than a call can have arguments', () => {
  const run = Array.from({ length: 200_000 }, (_, index) => file(1, index));
  expect(orderByAge(run, new Set()).length).toBe(run.length);
});

test('orders a run of any length, from any start', () => {
  const starts = fc.oneof(fc.nat(last), fc.integer({ min: last - 100, max: last }));
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 20_000 }), starts, fc.nat(), (length, start, shuffle) => {
      const run = Array.from({ length }, (_, i) => file(1, (start + i) % indexCount));
      const at = shuffle % length;
      expect(orderByAge([...run.slice(at), ...run.slice(0, at)], new Set())).toEqual(run);
    }),
    { numRuns: 20 },
  );
});
