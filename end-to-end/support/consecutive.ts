import { expect } from 'vitest';

/** `count` whole numbers from `first` on. */
export function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** Expects at least one number, and each to be one more than the one before. Returns the first and the last. */
export function expectConsecutive(numbers: readonly number[]): { first: number; last: number } {
  expect(numbers).not.toEqual([]);
  const [first = Number.NaN] = numbers;
  expect(numbers).toEqual(range(first, numbers.length));
  return { first, last: first + numbers.length - 1 };
}
