import { expect, test } from 'vitest';
import { exactDuration } from './exact-duration.ts';

test.each([
  [0, '0s'],
  [1_500, '1.5s'],
  [59_000, '59s'],
  [90_000, '1m30s'],
  [600_000, '10m'],
  [605_000, '10m5s'],
  [5_400_000, '1h30m'],
  [90_000_000, '25h'],
])('%i ms is %s', (ms, text) => {
  expect(exactDuration(ms)).toBe(text);
});
