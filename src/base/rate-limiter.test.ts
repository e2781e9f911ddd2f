import { expect, test } from 'vitest';
import { rateLimiter } from './rate-limiter.ts';

test('lets a burst pass, then one at a time, and after a pause a burst again', () => {
  let now = 0;
  const limiter = rateLimiter({ burst: 3, everyMs: 100 }, () => now);
  /** Takes that many tokens, each when it is available; returns how long each one took. */
  const take = (count: number) =>
    Array.from({ length: count }, () => {
      const waitMs = limiter.waitMs();
      now += waitMs;
      limiter.take();
      return waitMs;
    });
  expect(take(5)).toEqual([0, 0, 0, 100, 100]);
  now += 60;
  expect(take(2)).toEqual([40, 100]);
  now = 10_000;
  expect(take(4)).toEqual([0, 0, 0, 100]);
});

test('lets the next caller wait for one token at most, however many were taken without waiting', () => {
  const limiter = rateLimiter({ burst: 3, everyMs: 100 }, () => 0);
  for (let count = 0; count < 50; count += 1) limiter.take();
  expect(limiter.waitMs()).toBe(100);
});
