import { expect, test } from 'vitest';
import { backoff } from '../base/backoff.ts';
import { ApiError } from './api-error.ts';
import { retryDelayMs } from './retry-policy.ts';

test.each([
  { name: 'only for the backoff without Retry-After', retryAfterMs: undefined, waitMs: 500 },
  { name: 'for Retry-After and the backoff', retryAfterMs: 3_000, waitMs: 3_500 },
  { name: 'two minutes at most for Retry-After', retryAfterMs: 86_400_000, waitMs: 120_500 },
])('waits $name', ({ retryAfterMs, waitMs }) => {
  const error = new ApiError({
    method: 'GET',
    path: '/api',
    reason: 'TooManyRequests',
    message: '',
    retryAfterMs,
  });
  expect(retryDelayMs(error, backoff({ minMs: 500, random: () => 1 }))).toBe(waitMs);
});
