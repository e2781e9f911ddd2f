import { expect, test } from 'vitest';
import { median, percentile, summary } from './statistics.ts';

test.each([
  [[7], 7],
  [[9, 1, 5], 5],
  [[4, 1, 3, 2], 2.5],
])('the median of %j is %d', (values, expected) => {
  expect(median(values)).toBe(expected);
});

const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);

test.each([
  [hundred, 0, 1],
  [hundred, 50, 50],
  [hundred, 90, 90],
  [hundred, 99, 99],
  [hundred, 100, 100],
  [[3, 1, 2], 99, 3],
  [[3, 1, 2], 34, 2],
  [[3, 1, 2], 33, 1],
])('of %j the percentile %d is a measured value: %d', (values, percent, expected) => {
  expect(percentile(values, percent)).toBe(expected);
});

test('sums a distribution up', () => {
  expect(summary([2, 10, 4])).toEqual({ median: 4, min: 2, max: 10, runs: 3 });
});

test('refuses to sum up nothing', () => {
  expect(() => summary([])).toThrow('no values');
});
