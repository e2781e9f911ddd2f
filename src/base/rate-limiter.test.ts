import { expect, test } from 'vitest';
import { rateLimiter } from './rate-limiter.ts';

test('lets a burst pass, then one at a time, and after a rest a burst again', () => {
  let now = 0;
  const turns = rateLimiter({ burst: 3, everyMs: 100 }, () => now);
  /** Takes so many turns, each when it comes, and gives back how long each had to wait. */
  const next = (count: number) =>
    Array.from({ length: count }, () => {
      const waitMs = turns.waitMs();
      now += waitMs;
      turns.take();
      return waitMs;
    });
  expect(next(5)).toEqual([0, 0, 0, 100, 100]);
  now += 60;
  expect(next(2)).toEqual([40, 100]);
  now = 10_000;
  expect(next(4)).toEqual([0, 0, 0, 100]);
});

test('lets nobody wait for the sake of those that did not wait for their turn', () => {
  const turns = rateLimiter({ burst: 3, everyMs: 100 }, () => 0);
  for (let count = 0; count < 50; count += 1) turns.take();
  expect(turns.waitMs()).toBe(100);
});
