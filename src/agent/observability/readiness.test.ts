import { expect, test } from 'vitest';
import type { Decision } from '../planner/plan.ts';
import { podWith, specOf } from '../testing/fixtures.ts';
import type { CaptureStatus } from './capture-status.ts';
import { unreadyReasons } from './readiness.ts';

const secret = podWith({ namespace: 'payroll', name: 'merger-with-rival', uid: 'secret' });
const record: Decision = { kind: 'record', pod: secret, spec: specOf(1) };

function of(status: CaptureStatus | undefined, decision: Decision = record): string[] {
  const planned = { decisions: new Map([[secret.uid, decision]]), nextMs: undefined };
  return unreadyReasons(planned, { of: () => status });
}

test('before the Pods are listed an agent is not ready', () => {
  expect(unreadyReasons(undefined, { of: () => undefined })).toEqual([
    'the Pods of this Node are not listed yet',
  ]);
});

test('a capture that has not started is counted, and its Pod is not named', () => {
  expect(of(undefined)).toEqual(['captures that have not started yet: 1']);
});

test.each([
  { kind: 'waiting' },
  { kind: 'failed', message: 'no such device' },
  { kind: 'refused', refusal: { reason: 'NoSuchInterface', message: 'no net1' } },
] as const)('one of which something is known is not waited for: $kind', (status) => {
  expect(of(status)).toEqual([]);
});

test('what is not to be recorded is not waited for', () => {
  expect(of(undefined, { kind: 'keep', why: 'PodEnded' })).toEqual([]);
});
