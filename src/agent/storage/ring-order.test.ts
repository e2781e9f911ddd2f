import fc from 'fast-check';
import { expect, test } from 'vitest';
import { orderByAge } from './ring-order.ts';

const file = (generation: number, index: number) => ({ name: `${generation}.${index}`, generation, index });

test.each([
  ['nothing', [], []],
  ['one file', [7], [7]],
  ['in the middle', [3, 4, 5], [3, 4, 5]],
  ['across the last index', [18, 19, 0, 1], [18, 19, 0, 1]],
  ['with only 0 after the last index', [0, 19, 18], [18, 19, 0]],
  ['with a file that was deleted in between', [17, 19, 0, 1], [17, 19, 0, 1]],
])('orders by age: %s', (_what, indices, ordered) => {
  const files = indices.map((index) => file(1, index));
  expect(orderByAge(files, 20).map(({ index }) => index)).toEqual(ordered);
});

test('orders by generation first: files of a later start of tcpdump are newer, whatever their indices', () => {
  const files = [file(10, 0), file(9, 5), file(2, 19), file(2, 0)];
  expect(orderByAge(files, 20).map(({ generation, index }) => `${generation}.${index}`)).toEqual([
    '2.19',
    '2.0',
    '9.5',
    '10.0',
  ]);
});

test('orders a run of any length up to half of all indices, from any start', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 100 }), fc.nat(199), fc.nat(), (length, start, shuffle) => {
      const run = Array.from({ length }, (_, i) => file(1, (start + i) % 200));
      const mixed = [...run.slice(shuffle % length), ...run.slice(0, shuffle % length)];
      expect(orderByAge(mixed, 200)).toEqual(run);
    }),
  );
});
