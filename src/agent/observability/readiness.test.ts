import { expect, test } from 'vitest';
import type { Decision } from '../planner/plan.ts';
import { podWith, specOf } from '../testing/fixtures.ts';
import type { CaptureStatus } from './capture-status.ts';
import { unreadyReasons } from './readiness.ts';

const secret = podWith({ namespace: 'payroll', name: 'merger-with-rival', uid: 'secret' });
const record: Decision = { kind: 'record', pod: secret, spec: specOf(1) };

function reasonsFor(status: CaptureStatus | undefined, decision: Decision = record): string[] {
  const plan = {
    decisions: new Map([[secret.uid, decision]]),
    nextMs: undefined,
    spare: { budgetBytes: 0, diskBytes: 0 },
    bufferKib: new Map(),
  };
  return unreadyReasons(plan, { of: () => status });
}

test('the agent is not ready before the Pods are listed', () => {
  expect(unreadyReasons(undefined, { of: () => undefined })).toEqual([
    'the Pods of this Node are not listed yet',
  ]);
});

test('a capture that has not started is counted, and its Pod is not named', () => {
  expect(reasonsFor(undefined)).toEqual(['captures that have not started yet: 1']);
});

test.each([
  { kind: 'waiting' },
  { kind: 'failed', message: 'no such device' },
  { kind: 'refused', refusal: { reason: 'NoSuchInterface', message: 'no net1' } },
] as const)('readiness does not wait for a capture with any status: $kind', (status) => {
  expect(reasonsFor(status)).toEqual([]);
});

test('readiness does not wait for a Pod that must not be captured', () => {
  expect(reasonsFor(undefined, { kind: 'keep', why: 'PodEnded' })).toEqual([]);
});
