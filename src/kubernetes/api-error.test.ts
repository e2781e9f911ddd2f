import { expect, test } from 'vitest';
import { answerError, statusError } from './api-error.ts';

const call = { method: 'GET', path: '/api' };

test.each([
  { header: '5', expected: 5_000 },
  { header: new Date(Date.now() + 60_000).toUTCString(), expected: expect.closeTo(60_000, -4) },
  { header: new Date(Date.now() - 60_000).toUTCString(), expected: 0 },
  { header: 'soon', expected: undefined },
])('reads Retry-After: $header', ({ header, expected }) => {
  expect(answerError(call, { status: 503, retryAfter: header, body: '' }).retryAfterMs).toEqual(expected);
});

test('reads the reason, message and delay of a Status object', () => {
  const details = { retryAfterSeconds: 2, causes: [{ reason: 'ResourceVersionTooLarge' }] };
  const status = { kind: 'Status', code: 504, reason: 'Timeout', message: 'too large', details };
  expect(statusError(call, status)).toMatchObject({
    status: 504,
    reason: 'ResourceVersionTooLarge',
    message: 'GET /api: too large',
    retryAfterMs: 2_000,
  });
});
