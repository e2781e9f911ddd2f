import { expect, test } from 'vitest';
import { isInRange } from './time-range.ts';

const second = (seconds: number, nanoseconds = 0) => ({ seconds, nanoseconds });

test.each([
  ['the start', second(10, 5), true],
  ['a nanosecond before it', second(10, 4), false],
  ['a second before it', second(9, 999_999_999), false],
  ['in between', second(15), true],
  ['a nanosecond before the end', second(20, 6), true],
  ['the end', second(20, 7), false],
  ['later', second(21), false],
  ['before 1970', second(-1), false],
])('a range has its start and not its end: %s', (_what, time, expected) => {
  expect(isInRange({ since: second(10, 5), until: second(20, 7) }, time)).toBe(expected);
});

test('a range without a start or an end is open there', () => {
  const [since, until] = [undefined, undefined];
  expect(isInRange({ since, until }, second(0))).toBe(true);
  expect(isInRange({ since: second(5), until }, second(4_000_000_000))).toBe(true);
  expect(isInRange({ since, until: second(5) }, second(-5))).toBe(true);
});
