import { expect, test } from 'vitest';
import { ApiError } from './api-error.ts';
import { nextWatchStep, type WatchEnd, type WatchStep } from './list-or-watch.ts';

const opened = { openMs: 1_000, hadEvents: true };
const watch: WatchStep = { kind: 'watch', resourceVersion: '5' };
const resume = { kind: 'watch', resourceVersion: '9', serverErrors: 0 };
const listNewest = { kind: 'list', resourceVersion: undefined };

test.each<{ name: string; step?: WatchStep; end: WatchEnd; next: object }>([
  {
    name: 'a list',
    end: { ...opened, kind: 'listed', resourceVersion: '9' },
    next: { kind: 'watch', resourceVersion: '9' },
  },
  {
    name: 'a watch that ended',
    end: { ...opened, kind: 'closed', resourceVersion: '9' },
    next: { kind: 'watch', resourceVersion: '9' },
  },
  { name: 'no connection', end: failed({ reason: 'Unreachable' }), next: resume },
  { name: 'a watch that went silent after events', end: failed({ reason: 'Silent' }), next: resume },
  {
    name: 'a watch that was silent from the start',
    end: { ...failed({ reason: 'Silent' }), hadEvents: false },
    next: listNewest,
  },
  { name: 'a refused token', end: failed({ status: 401 }), next: resume },
  { name: 'a busy server', end: failed({ status: 429 }), next: resume },
  { name: 'a failing server', end: failed({ status: 503 }), next: { ...resume, serverErrors: 1 } },
  {
    name: 'the fifth failure of the server in a row',
    step: { ...watch, serverErrors: 4 },
    end: failed({ status: 503 }),
    next: listNewest,
  },
  {
    name: 'no connection after failures of the server',
    step: { ...watch, serverErrors: 4 },
    end: failed({ reason: 'Unreachable' }),
    next: resume,
  },
  { name: 'an expired version', end: failed({ status: 410 }), next: { kind: 'list', resourceVersion: '9' } },
  ...[400, 410, 504].map((status) => ({
    name: `a version that the server does not have, ${status}`,
    step: { kind: 'list', resourceVersion: '9' } as const,
    end: failed({ status, ...(status === 504 && { reason: 'ResourceVersionTooLarge' }) }),
    next: listNewest,
  })),
  {
    name: 'a failing server after an expired version',
    step: { kind: 'list', resourceVersion: '9' },
    end: failed({ status: 503 }),
    next: { kind: 'list', resourceVersion: '9' },
  },
  { name: 'a refused version', end: failed({ status: 400 }), next: listNewest },
  {
    name: 'a version from the future',
    end: failed({ status: 504, reason: 'ResourceVersionTooLarge' }),
    next: listNewest,
  },
  { name: 'a line that cannot be parsed', end: failed({ reason: 'Malformed' }), next: listNewest },
  {
    name: 'a first list that failed',
    step: { kind: 'list', resourceVersion: '0' },
    end: failed({ reason: 'Unreachable' }),
    next: { kind: 'list', resourceVersion: '0' },
  },
  {
    name: 'expired pages',
    step: { kind: 'list', resourceVersion: '0' },
    end: failed({ status: 410 }),
    next: { ...listNewest, pageItems: Infinity },
  },
  {
    name: 'a list from the cache that is too large',
    step: { kind: 'list', resourceVersion: '0' },
    end: failed({ reason: 'TooLarge' }),
    next: { ...listNewest, pageItems: 100 },
  },
  {
    name: 'a whole list that is too large',
    step: { kind: 'list', resourceVersion: undefined, pageItems: Infinity },
    end: failed({ reason: 'TooLarge' }),
    next: { ...listNewest, pageItems: 100 },
  },
  {
    name: 'a page that is too large',
    step: { kind: 'list', resourceVersion: undefined },
    end: failed({ reason: 'TooLarge' }),
    next: { ...listNewest, pageItems: 25 },
  },
  {
    name: 'a page of one object that is too large',
    step: { kind: 'list', resourceVersion: undefined, pageItems: 1 },
    end: failed({ reason: 'TooLarge' }),
    next: { ...listNewest, pageItems: 1 },
  },
])('decides what follows $name', ({ step = watch, end, next }) => {
  expect(nextWatchStep(step, end)).toEqual(next);
});

function failed(error: { readonly status?: number; readonly reason?: string }): WatchEnd {
  const call = { method: 'GET', path: '/', message: '', reason: 'Unknown' };
  return { ...opened, kind: 'failed', resourceVersion: '9', error: new ApiError({ ...call, ...error }) };
}
