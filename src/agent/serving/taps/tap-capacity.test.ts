import { expect, test } from 'vitest';
import { tapCapacity } from './tap-capacity.ts';

test.each([
  ['as many as are allowed', 16, 1_100_000_000, 16],
  ['a quarter of a small budget', 16, 100_000_000, 2],
  ['none of a tiny one', 16, 3_000_000, 0],
  ['none if none are allowed', 0, 1_100_000_000, 0],
])('taps reserve 8 MiB each: %s', (_what, maxTaps, budget, expected) => {
  expect(tapCapacity(maxTaps, budget)).toEqual({ maxTaps: expected, reservedBytes: expected * 8_388_608 });
});
