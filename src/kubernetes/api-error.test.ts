import { expect, test } from 'vitest';
import { backoff } from '../base/backoff.ts';
import { ApiError, answerError, retryDelayMs, statusError } from './api-error.ts';

const call = { method: 'GET', path: '/api' };

test.each([
  { name: 'the backoff alone without Retry-After', retryAfterMs: undefined, waitMs: 500 },
  { name: 'both with it', retryAfterMs: 3_000, waitMs: 3_500 },
  { name: 'two minutes at most for it', retryAfterMs: 86_400_000, waitMs: 120_500 },
])('waits $name', ({ retryAfterMs, waitMs }) => {
  const error = new ApiError({ ...call, reason: 'TooManyRequests', message: '', retryAfterMs });
  expect(retryDelayMs(error, backoff({ minMs: 500, random: () => 1 }))).toBe(waitMs);
});

test.each([
  { header: '5', expected: 5_000 },
  { header: new Date(Date.now() + 60_000).toUTCString(), expected: expect.closeTo(60_000, -4) },
  { header: new Date(Date.now() - 60_000).toUTCString(), expected: 0 },
  { header: 'soon', expected: undefined },
])('reads Retry-After: $header', ({ header, expected }) => {
  expect(answerError(call, { status: 503, retryAfter: header, body: '' }).retryAfterMs).toEqual(expected);
});

test('takes from a Status object what it says', () => {
  const details = { retryAfterSeconds: 2, causes: [{ reason: 'ResourceVersionTooLarge' }] };
  const status = { kind: 'Status', code: 504, reason: 'Timeout', message: 'too large', details };
  expect(statusError(call, status)).toMatchObject({
    status: 504,
    reason: 'ResourceVersionTooLarge',
    message: 'GET /api: too large',
    retryAfterMs: 2_000,
  });
});
