import { expect, test } from 'vitest';
import { type Estimate, estimate, median, percentile, summary } from './statistics.ts';

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
])('in %j, percentile %d is the measured value %d', (values, percent, expected) => {
  expect(percentile(values, percent)).toBe(expected);
});

test('summarizes a distribution', () => {
  expect(summary([2, 10, 4])).toEqual({ median: 4, min: 2, max: 10, runs: 3 });
});

test('refuses to summarize no values', () => {
  expect(() => summary([])).toThrow('no values');
});

test('an estimate is the median, with bounds that are wider for a wider spread', () => {
  const narrow = estimate([9.9, 10, 10, 10, 10.1]);
  const wide = estimate([5, 9, 10, 11, 15]);
  expect(narrow).toEqual({ median: 10, low: 9.9, high: 10.1, confidence: 0.95 });
  expect(wide.median).toBe(10);
  expect(wide.low).toBeLessThan(9.9);
  expect(wide.high).toBeGreaterThan(10.1);
});

test('more values with the same spread give narrower bounds', () => {
  const values = (count: number) => Array.from({ length: count }, (_, i) => ((i * 7) % count) / count);
  const width = ({ low, high }: Estimate) => high - low;
  expect(width(estimate(values(100)))).toBeLessThan(0.5 * width(estimate(values(10))));
});

test('the bounds contain the true median about as often as the confidence says', () => {
  let state = 1;
  const next = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const estimates = Array.from({ length: 200 }, () =>
    estimate(Array.from({ length: 21 }, next), { resamples: 1_000 }),
  );
  const containing = estimates.filter(({ low, high }) => low <= 0.5 && high >= 0.5).length;
  expect(containing).toBeGreaterThan(180);
  expect(containing).toBeLessThan(200);
});

test('the same values give the same estimate', () => {
  expect(estimate([3, 1, 2, 5])).toEqual(estimate([3, 1, 2, 5]));
});
