import { expect, test } from 'vitest';
import type { Decision, Plan } from '../planner/decisions.ts';
import { podWith, specOf } from '../testing/fixtures.ts';
import type { CaptureStatus } from './capture-status.ts';
import { unreadyReasons } from './readiness.ts';

const secret = podWith({ namespace: 'payroll', name: 'merger-with-rival', uid: 'secret' });
const record: Decision = { kind: 'record', pod: secret, spec: specOf(1) };

function planOf(decision: Decision): Plan {
  return {
    decisions: new Map([[secret.uid, decision]]),
    nextMs: undefined,
    spare: { budgetBytes: 0, diskBytes: 0 },
    bufferKib: new Map(),
    freezeCapacity: new Map(),
    requesters: new Map(),
    requests: new Map(),
  };
}

function reasonsFor(status: CaptureStatus | undefined, decision: Decision = record): string[] {
  const known = { plan: planOf(decision), unlisted: undefined, status: { of: () => status } };
  return unreadyReasons(() => 0)(known);
}

test('the agent is not ready before the Pods are listed', () => {
  const known = { plan: undefined, unlisted: 'the Pods of this Node', status: { of: () => undefined } };
  expect(unreadyReasons(() => 0)(known)).toEqual(['the Pods of this Node are not listed yet']);
});

test('the agent is not ready before the policies are listed, although it captures annotated Pods', () => {
  const status = { of: () => ({ kind: 'waiting' }) as const };
  const known = { plan: planOf(record), unlisted: 'the CapturePolicies', status };
  expect(unreadyReasons(() => 0)(known)).toEqual(['the CapturePolicies are not listed yet']);
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

test('captures that do not all start within a minute keep no agent unready', () => {
  let nowMs = 5_000;
  const reasons = unreadyReasons(() => nowMs);
  const known = { plan: planOf(record), unlisted: undefined };
  const now = () => reasons({ ...known, status: { of: () => undefined } });
  expect(now()).not.toEqual([]);
  nowMs += 59_000;
  expect(now()).not.toEqual([]);
  nowMs += 1_000;
  expect(now()).toEqual([]);
  // Once all have started, later ones have a minute of their own.
  reasons({ ...known, status: { of: () => ({ kind: 'waiting' }) } });
  expect(now()).not.toEqual([]);
});
