import { expect, test } from 'vitest';
import type { ContainerEnd, ContainerStatus } from '../../kubernetes/container-status.ts';
import { type FreezeRequest, type FreezeTrigger, freezeTriggers } from '../planner/annotations.ts';
import type { SeenState } from '../storage/freeze-records.ts';
import { newMoments, type PodMoments } from './freeze-causes.ts';

const crash: ContainerEnd = { id: 'run-1', exitCode: 1, reason: 'Error', finishedAt: '2026-01-01T00:00:05Z' };
const oomKill: ContainerEnd = { ...crash, exitCode: 137, reason: 'OOMKilled' };
const completion: ContainerEnd = { ...crash, exitCode: 0, reason: 'Completed' };

function container(fields: Partial<ContainerStatus> = {}): ContainerStatus {
  return {
    name: 'app',
    kind: 'main',
    restarts: 0,
    isReady: true,
    mayComplete: false,
    hasCompleted: false,
    ...fields,
  };
}

function podOf(...containers: readonly ContainerStatus[]): PodMoments {
  return { phase: 'Running', containers };
}

const healthy = podOf(container());

function request(on: readonly FreezeTrigger[], text?: string): FreezeRequest {
  return { on, afterMs: 5_000, text };
}

function seenOf(
  pod: PodMoments,
  { text, bootId = 'boot' }: { text?: string; bootId?: string } = {},
): SeenState {
  return newMoments(
    { seen: undefined, isByEarlierAgent: false, hadNoText: false },
    pod,
    request([], text),
    bootId,
  ).seen;
}

/** The causes when that Pod becomes the other one. */
function causesOf(before: PodMoments, after: PodMoments, on: readonly FreezeTrigger[] = freezeTriggers) {
  return newMoments(
    { seen: seenOf(before), isByEarlierAgent: false, hadNoText: false },
    after,
    request(on),
    'boot',
  ).causes;
}

const details = { container: 'app', exitCode: 1, reason: 'Error', finishedAt: '2026-01-01T00:00:05Z' };

test.each<[string, PodMoments, readonly FreezeTrigger[], unknown[]]>([
  [
    'ends with an error',
    podOf(container({ isReady: false, lastEnd: crash })),
    ['restart'],
    [{ trigger: 'restart', ...details }],
  ],
  [
    'ends, and always runs',
    podOf(container({ isReady: false, lastEnd: completion })),
    ['restart'],
    [{ trigger: 'restart', ...details, exitCode: 0, reason: 'Completed' }],
  ],
  [
    'is killed for lack of memory',
    podOf(container({ lastEnd: oomKill })),
    ['restart', 'oom-killed'],
    [{ trigger: 'oom-killed', ...details, exitCode: 137, reason: 'OOMKilled' }],
  ],
  [
    'is killed for lack of memory, where only restarts are asked for',
    podOf(container({ lastEnd: oomKill })),
    ['restart'],
    [{ trigger: 'restart', ...details, exitCode: 137, reason: 'OOMKilled' }],
  ],
  [
    'is not ready any more',
    podOf(container({ isReady: false })),
    ['not-ready'],
    [{ trigger: 'not-ready', container: 'app' }],
  ],
  [
    'has restarted, and the kubelet has forgotten its end',
    podOf(container({ restarts: 2 })),
    ['restart'],
    [{ trigger: 'restart', container: 'app' }],
  ],
  ['ends, and only OOM kills are asked for', podOf(container({ lastEnd: crash })), ['oom-killed'], []],
  [
    'completes',
    podOf(container({ isReady: false, mayComplete: true, lastEnd: completion })),
    freezeTriggers,
    [],
  ],
])('a container that %s', (_what, after, on, causes) => {
  expect(causesOf(healthy, after, on)).toEqual(causes);
});

test('an end freezes once, also when the container runs again', () => {
  const ended = podOf(container({ lastEnd: crash }));
  const runsAgain = podOf(container({ lastEnd: crash, restarts: 1 }));
  expect(causesOf(ended, runsAgain)).toEqual([]);
  expect(
    causesOf(runsAgain, podOf(container({ restarts: 1, lastEnd: { ...crash, id: 'run-2' } }))),
  ).toHaveLength(1);
});

test('each container counts, whatever its name', () => {
  const names = ['app', 'constructor'];
  const before = podOf(...names.map((name) => container({ name })));
  const after = podOf(...names.map((name) => container({ name, lastEnd: { ...crash, id: name } })));
  expect(causesOf(before, after).map((cause) => cause.container)).toEqual(names);
});

test('a container that has started since and has ended counts; one that was never ready is not not-ready', () => {
  expect(causesOf(podOf(), podOf(container({ lastEnd: crash, isReady: false })))).toHaveLength(1);
  expect(causesOf(podOf(), podOf(container({ isReady: false })))).toEqual([]);
});

test('a Pod that fails', () => {
  const failed = { ...healthy, phase: 'Failed' };
  expect(causesOf(healthy, failed, ['failed'])).toEqual([{ trigger: 'failed' }]);
  expect(causesOf(healthy, failed, ['restart'])).toEqual([]);
  expect(causesOf(failed, failed, ['failed'])).toEqual([]);
});

const crashed = podOf(container({ isReady: false, lastEnd: crash }));

test.each<[string, PodMoments]>([
  ['is being deleted', { ...crashed, deletionTimestamp: '2026-01-01T00:00:00Z' }],
  ['has completed', { ...crashed, phase: 'Succeeded' }],
])('a Pod that %s freezes nothing', (_what, pod) => {
  expect(causesOf(healthy, pod)).toEqual([]);
});

test('what had happened before the Pod was first seen, or before the Node was started again, freezes nothing, except a new text', () => {
  const all = request(freezeTriggers, 'now');
  const first = newMoments(
    { seen: undefined, isByEarlierAgent: false, hadNoText: false },
    crashed,
    all,
    'boot',
  );
  expect(first.causes).toEqual([]);
  const seen = seenOf(healthy, { text: 'before', bootId: 'boot-1' });
  const rebooted = newMoments({ seen, isByEarlierAgent: true, hadNoText: false }, crashed, all, 'boot-2');
  // Somebody has asked since, and waits for it.
  expect(rebooted.causes).toEqual([{ trigger: 'manual', text: 'now' }]);
  expect(
    newMoments({ seen: rebooted.seen, isByEarlierAgent: false, hadNoText: false }, crashed, all, 'boot-2')
      .causes,
  ).toEqual([]);
});

test('what happened while no agent ran is late', () => {
  const seen = seenOf(healthy);
  const { causes } = newMoments(
    { seen, isByEarlierAgent: true, hadNoText: false },
    crashed,
    request(['restart']),
    'boot',
  );
  expect(causes).toEqual([{ trigger: 'restart', ...details, isLate: true }]);
});

test('each new text freezes once, also of a Pod that is being deleted', () => {
  const causes = (before: string | undefined, text: string | undefined, pod = healthy) =>
    newMoments(
      {
        seen: seenOf(pod, before === undefined ? {} : { text: before }),
        isByEarlierAgent: false,
        hadNoText: false,
      },
      pod,
      request([], text),
      'boot',
    ).causes;
  expect(causes(undefined, 'a')).toEqual([{ trigger: 'manual', text: 'a' }]);
  expect(causes('a', 'a')).toEqual([]);
  expect(causes('a', 'b', { ...healthy, deletionTimestamp: '2026-01-01T00:00:00Z' })).toHaveLength(1);
  expect(causes('a', undefined)).toEqual([]);
  // It was removed in between.
  const removed = newMoments(
    { seen: seenOf(healthy, { text: 'a' }), isByEarlierAgent: false, hadNoText: false },
    healthy,
    request([]),
    'boot',
  );
  expect(removed.seen.text).toBe('a');
});

test('a text that was not there before asks, also where nothing was taken into account yet', () => {
  const causes = (hadNoText: boolean) =>
    newMoments({ seen: undefined, isByEarlierAgent: true, hadNoText }, crashed, request([], 'now'), 'boot')
      .causes;
  expect(causes(true)).toEqual([{ trigger: 'manual', text: 'now' }]);
  expect(causes(false)).toEqual([]);
});

test.each<[string, PodMoments]>([
  ['ends with its Node', { ...crashed, phase: 'Failed', reason: 'Terminated' }],
  [
    'has completed but for its sidecar',
    podOf(
      container({ mayComplete: true, hasCompleted: true, lastEnd: completion }),
      container({ name: 'proxy', kind: 'sidecar', lastEnd: { ...crash, exitCode: 143 } }),
    ),
  ],
])('a Pod that %s freezes nothing', (_what, pod) => {
  expect(causesOf(healthy, pod)).toEqual([]);
});

test('the end of a container with its Node freezes nothing, in whatever order the status changes', () => {
  const before = seenOf(healthy);
  const step = (seen: SeenState, pod: PodMoments) =>
    newMoments({ seen, isByEarlierAgent: false, hadNoText: false }, pod, request(freezeTriggers), 'boot-2');
  const sameAsBefore = step(before, healthy);
  const ended = step(sameAsBefore.seen, podOf(container({ lastEnd: crash, isReady: false })));
  const startedAgain = step(ended.seen, podOf(container({ lastEnd: crash, restarts: 1 })));
  expect([sameAsBefore, ended, startedAgain].flatMap(({ causes }) => causes)).toEqual([]);
  const next = { ...crash, id: 'run-2' };
  expect(step(startedAgain.seen, podOf(container({ lastEnd: next, restarts: 1 }))).causes).toHaveLength(1);
});

test('a container whose status is missing for a moment has not ended again', () => {
  const before = { seen: seenOf(crashed), isByEarlierAgent: false, hadNoText: false };
  const { seen } = newMoments(before, podOf(), request(freezeTriggers), 'boot');
  expect(newMoments({ ...before, seen }, crashed, request(freezeTriggers), 'boot').causes).toEqual([]);
});
