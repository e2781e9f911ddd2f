import { expect, test } from 'vitest';
import type { Decision, Plan } from '../planner/decisions.ts';
import { noTotals } from '../storage/capture-records.ts';
import { podWith, specOf } from '../testing/fixtures.ts';
import { podStates } from './capture-states.ts';
import type { CaptureStatus } from './capture-status.ts';

const pod = podWith();
const totals = noTotals;
const refusal = { reason: 'OverBudget', message: 'too much' } as const;
const capture: Decision = { kind: 'record', pod, spec: specOf(1) };
const keep: Decision = { kind: 'keep', why: 'PodEnded' };
const firstStart = { kind: 'first', packets: 0 } as const;

const cases: readonly [CaptureStatus | undefined, Decision | undefined, string | undefined][] = [
  [
    { kind: 'waiting' },
    capture,
    'waiting WaitingForNetwork: the Pod has no network yet that the agent can find',
  ],
  [{ kind: 'capturing', generation: 1, spec: specOf(1), missedBefore: firstStart }, capture, 'capturing'],
  [
    {
      kind: 'capturing',
      generation: 1,
      spec: specOf(1),
      missedBefore: firstStart,
      refused: [{ interface: 'net1', refusal: { reason: 'NoSuchInterface', message: 'no net1' } }],
    },
    capture,
    'capturing NoSuchInterface: no net1',
  ],
  // Until its network is gone.
  [{ kind: 'capturing', generation: 1, spec: specOf(1), missedBefore: firstStart }, keep, 'capturing'],
  [
    { kind: 'interfaceDown', generation: 1, interface: 'eth0' },
    capture,
    'capturing InterfaceDown: eth0 is down: no packets pass, and capturing continues when it is up',
  ],
  [
    { kind: 'failed', message: 'ended by SIGKILL' },
    capture,
    'failed CaptureFailed: will be retried: ended by SIGKILL',
  ],
  [{ kind: 'refused', refusal }, undefined, 'refused OverBudget: too much'],
  [undefined, { kind: 'refuse', pod, refusal }, 'refused OverBudget: too much'],
  [{ kind: 'stopped', why: 'DurationReached', totals }, keep, 'ended DurationReached'],
  [{ kind: 'stopped', why: 'NotMatched', totals }, undefined, 'ended NotMatched'],
  [undefined, { kind: 'keep', why: 'NotMatched' }, 'ended NotMatched'],
  [undefined, { kind: 'unknown', pod }, undefined],
  [{ kind: 'stopped', why: 'AgentStopped', totals }, undefined, undefined],
  [undefined, keep, 'ended PodEnded'],
  [{ kind: 'deleted', why: 'RetentionOver' }, undefined, undefined],
  [undefined, capture, undefined],
];

test.each(cases)('status %j with decision %j is %s', (status, decision, expected) => {
  const statuses = status ? [{ pod, status, totals, isStalled: false }] : [];
  const plan: Plan = {
    decisions: new Map(decision && [[pod.uid, decision]]),
    nextMs: undefined,
    spare: { budgetBytes: 0, diskBytes: 0 },
    bufferKib: new Map(),
    freezeCapacity: new Map(),
    requesters: new Map(),
    requests: new Map(),
  };
  const [state, ...others] = podStates(statuses, plan);
  expect(others).toEqual([]);
  const { reason, message } = state ?? {};
  const words = [reason, message].filter((word) => word !== undefined).join(': ');
  expect(state && `${state.state} ${words}`.trimEnd()).toBe(expected);
});

test('without a plan, only what was reported is known', () => {
  expect(podStates([{ pod, status: { kind: 'waiting' }, totals, isStalled: false }], undefined)).toHaveLength(
    1,
  );
});
