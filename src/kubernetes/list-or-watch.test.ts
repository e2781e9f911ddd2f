import { expect, test } from 'vitest';
import { ApiError } from './api-error.ts';
import { nextWatchStep, type WatchEnd, type WatchStep } from './list-or-watch.ts';

const life = { livedMs: 1_000, heard: true };
const watch: WatchStep = { kind: 'watch', resourceVersion: '5' };
const goOn = { kind: 'watch', resourceVersion: '9', refusals: 0 };
const listNewest = { kind: 'list', resourceVersion: undefined };

test.each<{ name: string; step?: WatchStep; end: WatchEnd; next: object }>([
  {
    name: 'a list',
    end: { ...life, kind: 'listed', resourceVersion: '9' },
    next: { kind: 'watch', resourceVersion: '9' },
  },
  {
    name: 'a watch that ended',
    end: { ...life, kind: 'closed', resourceVersion: '9' },
    next: { kind: 'watch', resourceVersion: '9' },
  },
  { name: 'no connection', end: failed({ reason: 'Unreachable' }), next: goOn },
  { name: 'a silent watch that had spoken', end: failed({ reason: 'Silent' }), next: goOn },
  {
    name: 'a watch that never spoke',
    end: { ...failed({ reason: 'Silent' }), heard: false },
    next: listNewest,
  },
  { name: 'a refused token', end: failed({ status: 401 }), next: goOn },
  { name: 'a server that is busy', end: failed({ status: 429 }), next: goOn },
  { name: 'a server that fails', end: failed({ status: 503 }), next: { ...goOn, refusals: 1 } },
  {
    name: 'a server that fails the fifth time',
    step: { ...watch, refusals: 4 },
    end: failed({ status: 503 }),
    next: listNewest,
  },
  {
    name: 'no connection after failures',
    step: { ...watch, refusals: 4 },
    end: failed({ reason: 'Unreachable' }),
    next: goOn,
  },
  { name: 'a version that is gone', end: failed({ status: 410 }), next: listNewest },
  { name: 'a version that is refused', end: failed({ status: 400 }), next: listNewest },
  {
    name: 'a version to come',
    end: failed({ status: 504, reason: 'ResourceVersionTooLarge' }),
    next: listNewest,
  },
  { name: 'a line that cannot be read', end: failed({ reason: 'Malformed' }), next: listNewest },
  {
    name: 'a first list that failed',
    step: { kind: 'list', resourceVersion: '0' },
    end: failed({ reason: 'Unreachable' }),
    next: { kind: 'list', resourceVersion: '0' },
  },
  {
    name: 'pages that expired',
    step: { kind: 'list', resourceVersion: '0' },
    end: failed({ status: 410 }),
    next: { ...listNewest, whole: true },
  },
  {
    name: 'a list out of the cache that is too large',
    step: { kind: 'list', resourceVersion: '0' },
    end: failed({ reason: 'TooLarge' }),
    next: listNewest,
  },
])('after $name', ({ step = watch, end, next }) => {
  expect(nextWatchStep(step, end)).toEqual(next);
});

function failed(error: { readonly status?: number; readonly reason?: string }): WatchEnd {
  const call = { method: 'GET', path: '/', message: '', reason: 'Unknown' };
  return { ...life, kind: 'failed', resourceVersion: '9', error: new ApiError({ ...call, ...error }) };
}
