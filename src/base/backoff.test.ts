import { expect, test } from 'vitest';
import { backoff } from './backoff.ts';

test('doubles from the shortest wait to the longest and stays there', () => {
  const waits = backoff({ minMs: 500, maxMs: 4_000, random: () => 1 });
  expect([1, 2, 3, 4, 5].map(() => waits.next())).toEqual([500, 1_000, 2_000, 4_000, 4_000]);
});

test('waits at least half of the full wait', () => {
  const waits = backoff({ minMs: 500, maxMs: 4_000, random: () => 0 });
  expect([1, 2, 3].map(() => waits.next())).toEqual([250, 500, 1_000]);
});

test('starts again with the shortest wait after a success', () => {
  const waits = backoff({ minMs: 500, random: () => 1 });
  waits.next();
  waits.next();
  waits.reset();
  expect(waits.next()).toBe(500);
});
