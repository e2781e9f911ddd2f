import { expect, test } from 'vitest';
import { pace } from './pace.ts';

test('lets a burst pass, then one at a time, and after a rest a burst again', () => {
  let now = 0;
  const waitMs = pace({ burst: 3, everyMs: 100 }, () => now);
  const next = (count: number) => Array.from({ length: count }, waitMs);
  expect(next(5)).toEqual([0, 0, 0, 100, 200]);
  now = 200;
  expect(next(1)).toEqual([100]);
  now = 10_000;
  expect(next(4)).toEqual([0, 0, 0, 100]);
});
