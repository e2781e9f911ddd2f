import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Pod } from '../../kubernetes/pod.ts';
import type { FolderState } from '../storage/capture-folders.ts';
import { mostFileBytes, type RingSize, type RingsSize, ringBytes } from '../storage/ring-size.ts';
import { neverFrozen, podWith, specOf } from '../testing/fixtures.ts';
import { type Capacity, placesOf, type WaitsFor } from './capacity.ts';
import type { Decision, Plan, Wait } from './decisions.ts';
import { ringsSizeOf, silentWaitMs } from './fit-to-capacity.ts';
import type { NodeState, RunningRecording } from './node-state.ts';
import { plan } from './plan.ts';
import { noPolicies } from './policies.ts';

const limits = { maxFiles: 100, maxFileMegabytes: 100, retentionMs: 1_000 };
const nowMs = 10_000;
const unixMs = Date.parse('2026-06-01T12:00:00Z');
const uid = 'uid-1';

const capacity: Capacity = {
  maxCaptures: 100,
  diskBudgetBytes: 1_000_000_000,
  bufferBudgetBytes: 1_000_000_000,
  bufferBytes: 4_000_000,
  fixedBufferKib: 4_096,
  minFreeRatio: 0.2,
  disk: { availableBytes: 50_000_000_000, capacityBytes: 100_000_000_000 },
};

type PlanCase = {
  readonly what: string;
  /** Undefined: the Pod is gone. */
  readonly pod?: Partial<Pod>;
  readonly hasFolder: boolean;
  readonly folder?: Partial<FolderState>;
  /** How long the running capture has captured by now; undefined when none runs. */
  readonly capturedMs?: number;
  readonly nextMs?: number;
  /** Undefined: no decision. */
  readonly decision: Partial<Decision> | undefined;
};

const annotated = { 'tcpdump.antrea.io': '5' };
const invalid = { 'tcpdump.antrea.io': 'five' };

const cases: readonly PlanCase[] = [
  { what: 'a Pod without the annotation', pod: {}, hasFolder: false, decision: undefined },
  {
    what: 'an annotated Pod',
    pod: { annotations: annotated },
    hasFolder: false,
    decision: { kind: 'record', spec: specOf(5) },
  },
  {
    what: 'an annotated Pod with captures',
    pod: { annotations: annotated },
    hasFolder: true,
    decision: { kind: 'record' },
  },
  {
    what: 'an annotated Pod that is marked for deletion and still sends packets',
    pod: { annotations: annotated, deletionTimestamp: '2026-01-01T00:00:00Z' },
    hasFolder: true,
    decision: { kind: 'record' },
  },
  {
    what: 'an annotated Pod that failed',
    pod: { annotations: annotated, phase: 'Failed' },
    hasFolder: true,
    decision: { kind: 'keep' },
    nextMs: nowMs + 1_000,
  },
  {
    what: 'an annotated Pod that ended before it was captured',
    pod: { annotations: annotated, phase: 'Succeeded' },
    hasFolder: false,
    decision: undefined,
  },
  {
    what: 'a Pod that is gone, whose folder is not marked as ended yet',
    hasFolder: true,
    decision: { kind: 'keep', why: 'PodEnded' },
    nextMs: nowMs + 1_000,
  },
  {
    what: 'a Pod that is gone, within the retention time',
    hasFolder: true,
    folder: { endedMs: nowMs - 400 },
    decision: { kind: 'keep', why: 'PodEnded' },
    nextMs: nowMs + 600,
  },
  {
    what: 'a Pod that is gone, after the retention time',
    hasFolder: true,
    folder: { endedMs: nowMs - 1_000 },
    decision: { kind: 'delete', why: 'RetentionOver' },
  },
  {
    what: 'a Pod that failed, after the retention time',
    pod: { annotations: annotated, phase: 'Failed' },
    hasFolder: true,
    folder: { endedMs: 0 },
    decision: { kind: 'delete', why: 'RetentionOver' },
  },
  {
    what: 'a duration that is running',
    pod: { annotations: { ...annotated, 'podcap.dev/duration': '60s' } },
    hasFolder: true,
    capturedMs: 20_000,
    decision: { kind: 'record' },
    nextMs: nowMs + 40_000,
  },
  {
    what: 'a duration that is over',
    pod: { annotations: { ...annotated, 'podcap.dev/duration': '60s' } },
    hasFolder: true,
    capturedMs: 60_000,
    decision: { kind: 'keep', why: 'DurationReached' },
  },
  {
    what: 'a duration that an earlier agent used up in part',
    pod: { annotations: { ...annotated, 'podcap.dev/duration': '60s' } },
    hasFolder: true,
    folder: { capturedMs: 59_000 },
    decision: { kind: 'record' },
  },
  {
    what: 'a duration that an earlier agent used up',
    pod: { annotations: { ...annotated, 'podcap.dev/duration': '60s' } },
    hasFolder: true,
    folder: { capturedMs: 60_000 },
    decision: { kind: 'keep', why: 'DurationReached' },
  },
  {
    what: 'an annotation that is removed',
    pod: {},
    hasFolder: true,
    decision: { kind: 'delete', why: 'AnnotationRemoved' },
  },
  {
    what: 'an annotation that is removed from a failed Pod',
    pod: { phase: 'Failed' },
    hasFolder: true,
    decision: { kind: 'delete' },
  },
  {
    what: 'a value that is not allowed',
    pod: { annotations: invalid },
    hasFolder: false,
    decision: { kind: 'refuse', refusal: { reason: 'InvalidAnnotation', message: expect.any(String) } },
  },
  {
    what: 'a value that is no longer allowed',
    pod: { annotations: invalid },
    hasFolder: true,
    decision: { kind: 'refuse' },
  },
  {
    what: 'a Pod on the host network',
    pod: { annotations: annotated, hostNetwork: true },
    hasFolder: false,
    decision: { kind: 'refuse', refusal: { reason: 'HostNetwork', message: expect.any(String) } },
  },
];

test.each(cases)('$what', ({ pod, hasFolder, folder, capturedMs, decision, nextMs }) => {
  const planned = plan({
    pods: new Map(pod ? [[uid, podWith(pod)]] : []),
    folders: new Map(hasFolder ? [[uid, folderWith(uid, folder)]] : []),
    recording: new Map(capturedMs === undefined ? [] : [[uid, { ...running(specOf(5)), capturedMs }]]),
    capacity,
    limits,
    policies: { ...noPolicies, known: 'all' },
    nowMs,
    unixMs,
    capturedBefore: new Set(),
    waits: new Map(),
    deletedBytes: 0,
  });
  expect({ decision: planned.decisions.get(uid), nextMs: planned.nextMs }).toMatchObject({
    decision,
    nextMs,
  });
});

// Three files of 1 MB may take 5.05 MB.
test('what does not fit is refused, and running captures come before older Pods', () => {
  const names = ['a', 'b', 'c'];
  const state = nodeWith(names, { capacity: { ...capacity, diskBudgetBytes: 11_000_000 } });
  expect(kinds(state)).toEqual(['a record', 'b record', 'c refuse OverBudget']);
  const recording = new Map([['c', running(specOf(3))]]);
  expect(kinds({ ...state, recording })).toEqual(['a record', 'b refuse OverBudget', 'c record']);
});

test('more captures than are allowed, or than the receive rings have memory for, are refused', () => {
  expect(kinds(nodeWith(['a', 'b'], { capacity: { ...capacity, maxCaptures: 1 } }))).toEqual([
    'a record',
    'b refuse OverBudget',
  ]);
  expect(kinds(nodeWith(['a', 'b'], { capacity: { ...capacity, bufferBudgetBytes: 7_000_000 } }))).toEqual([
    'a record',
    'b refuse OverBudget',
  ]);
});

test('the capture of a deleted Pod has its place until it ends: the next one waits, and its Pod is told if that takes long', () => {
  const folders = new Map(['b', 'x'].map((key) => [key, folderWith(key)]));
  const recording = new Map(['b', 'x'].map((key) => [key, running(specOf(3))]));
  const state = nodeWith(['a', 'b'], { folders, recording, capacity: { ...capacity, maxCaptures: 2 } });
  expect(kinds(state)).toEqual(['a wait', 'b record', 'x keep']);
  const waits = overdueWaits(['a'], 'place');
  expect(kinds({ ...state, waits })).toEqual(['a refuse OverBudget', 'b record', 'x keep']);
  expect(kinds({ ...state, recording: new Map([['b', running(specOf(3))]]) })).toEqual([
    'a record',
    'b record',
    'x keep',
  ]);
});

test('a running capture that is refused has its place until it ends, too', () => {
  const pods = new Map(
    [{ 'tcpdump.antrea.io': '100', 'podcap.dev/file-size': '10' }, { 'tcpdump.antrea.io': '1' }].map(
      (annotations, index) => {
        const key = index === 0 ? 'a' : 'b';
        return [key, podWith({ uid: key, annotations })] as const;
      },
    ),
  );
  const state = nodeWith([], {
    pods,
    recording: new Map([['a', running(specOf(1))]]),
    capacity: { ...capacity, maxCaptures: 1, diskBudgetBytes: 100_000_000 },
  });
  expect(kinds(state)).toEqual(['a refuse OverBudget', 'b wait']);
});

test('nothing is evicted for a capture before it has a place, and its Pod is not told too early of the eviction', () => {
  const folders = new Map([
    ['x', folderWith('x')],
    ['y', folderWith('y', { files: 1, bytes: 3_000_000, endedMs: nowMs - 500 })],
  ]);
  const state = nodeWith(['a'], {
    folders,
    recording: new Map([['x', running(specOf(1))]]),
    waits: overdueWaits(['a'], 'place'),
    capacity: { ...capacity, maxCaptures: 1, diskBudgetBytes: 8_000_000 },
  });
  expect(kinds(state)).toEqual(['a refuse OverBudget', 'x keep', 'y keep']);
  expect(kinds({ ...state, recording: new Map() })).toEqual(['a wait', 'x keep', 'y delete Evicted']);
});

test('before a capture is refused, the oldest rings of ended Pods are evicted, and no more than needed', () => {
  const ended = (name: string, endedMs: number) =>
    [name, folderWith(name, { bytes: 3_000_000, endedMs })] as const;
  const folders = new Map([ended('x', nowMs - 300), ended('y', nowMs - 900), ended('z', nowMs - 600)]);
  const state = nodeWith(['a'], { folders, capacity: { ...capacity, diskBudgetBytes: 12_000_000 } });
  expect(kinds(state)).toEqual(['a wait', 'x keep', 'y delete Evicted', 'z keep']);
});

test('a capture that waits for evictions starts when they are gone, and its Pod is told if that takes long', () => {
  const folders = new Map([['x', folderWith('x', { files: 1, bytes: 8_000_000, endedMs: nowMs })]]);
  const state = nodeWith(['a', 'b'], { folders, capacity: { ...capacity, diskBudgetBytes: 11_000_000 } });
  expect(kinds(state)).toEqual(['a wait', 'b wait', 'x delete Evicted']);
  expect(plan(state).nextMs).toBe(nowMs + silentWaitMs);
  expect(kinds({ ...state, folders: new Map() })).toEqual(['a record', 'b record']);
  const waits = overdueWaits(['a', 'b'], 'space');
  const overdue = ['a refuse OverBudget', 'b refuse OverBudget', 'x delete Evicted'];
  expect(kinds({ ...state, waits })).toEqual(overdue);
});

test('a running capture goes on as it is while it waits for evictions', () => {
  const folders = new Map([
    ['a', folderWith('a', { files: 1, bytes: 1_000_000 })],
    ['x', folderWith('x', { files: 1, bytes: 8_000_000, endedMs: nowMs })],
  ]);
  const recording = new Map([['a', running(specOf(1))]]);
  const state = nodeWith(['a'], {
    folders,
    recording,
    capacity: { ...capacity, diskBudgetBytes: 11_000_000 },
  });
  expect(kinds(state)).toEqual(['a wait', 'x delete Evicted']);
});

test('what is being deleted counts until it is gone, and its capture until it ends', () => {
  const pods = new Map([...nodeWith(['a'], {}).pods, ['x', podWith({ uid: 'x' })] as const]);
  const folders = new Map([['x', folderWith('x', { files: 1, bytes: 4_000_000 })]]);
  const state = nodeWith([], { pods, folders, capacity: { ...capacity, diskBudgetBytes: 9_500_000 } });
  expect(kinds(state)).toEqual(['a record', 'x delete AnnotationRemoved']);
  const recording = new Map([['x', running(specOf(3))]]);
  expect(kinds({ ...state, recording })).toEqual(['a wait', 'x delete AnnotationRemoved']);
  const tighter = { ...capacity, diskBudgetBytes: 9_000_000 };
  expect(kinds({ ...state, capacity: tighter })).toEqual(['a wait', 'x delete AnnotationRemoved']);
  expect(kinds({ ...state, capacity: tighter, folders: new Map() })).toEqual(['a record']);
});

test('space of files that are deleted, and not free in the newest sample, is not freed once more', () => {
  const disk = { availableBytes: 22_000_000, capacityBytes: 100_000_000 };
  const folders = new Map([['x', folderWith('x', { files: 1, bytes: 8_000_000, endedMs: nowMs })]]);
  const state = nodeWith(['a'], { folders, capacity: { ...capacity, disk } });
  expect(kinds(state)).toEqual(['a wait', 'x delete Evicted']);
  expect(kinds({ ...state, deletedBytes: 8_000_000 })).toEqual(['a wait', 'x keep']);
});

test('what somebody wants deleted is deleted if its Pod has ended, and not while it is to be captured', () => {
  const discarded = new Set(['a', 'x', 'y']);
  const pods = nodeWith(['a'], {}).pods;
  const folders = new Map([
    ['a', folderWith('a', {})],
    ['x', folderWith('x', { endedMs: nowMs })],
    ['y', folderWith('y', {})],
    ['z', folderWith('z', { endedMs: nowMs })],
  ]);
  expect(kinds(nodeWith([], { pods, folders, discarded }))).toEqual([
    'a record',
    'x delete Discarded',
    'y keep',
    'z keep',
  ]);
});

test('deleted files count as long as readers hold them open', () => {
  const state = nodeWith(['a'], { capacity: { ...capacity, diskBudgetBytes: 9_000_000 } });
  expect(kinds(state)).toEqual(['a record']);
  expect(kinds({ ...state, heldBytes: 6_000_000 })).toEqual(['a refuse OverBudget']);
});

test('nothing is evicted for a capture that would not fit even then', () => {
  const folders = new Map([['x', folderWith('x', { bytes: 1_000_000, endedMs: nowMs })]]);
  const state = nodeWith(['a'], { folders, capacity: { ...capacity, diskBudgetBytes: 4_000_000 } });
  expect(kinds(state)).toEqual(['a refuse OverBudget', 'x keep']);
});

test('the minimum free disk stays free: ended rings are evicted, growing rings are refused, a full ring continues', () => {
  const disk = { availableBytes: 21_000_000, capacityBytes: 100_000_000 };
  const folders = new Map([
    // A full ring of 3 files, the newest of them partly filled.
    ['full', folderWith('full', { files: 3, bytes: 2_600_000 })],
    ['x', folderWith('x', { bytes: 2_000_000, endedMs: nowMs })],
  ]);
  const recording = new Map([['full', running(specOf(3))]]);
  const state = nodeWith(['full', 'new'], { folders, recording, capacity: { ...capacity, disk } });
  expect(kinds(state)).toEqual(['full record', 'new refuse DiskAlmostFull', 'x keep']);
  const fuller = { ...capacity, disk: { ...disk, availableBytes: 19_000_000 } };
  expect(kinds({ ...state, capacity: fuller })).toEqual([
    'full record',
    'new refuse DiskAlmostFull',
    'x delete Evicted',
  ]);
});

test('no ended ring is evicted for the spare files of full rings', () => {
  const size = { files: 3, bytes: 2_600_000 };
  const folders = new Map([
    ['a', folderWith('a', size)],
    ['b', folderWith('b', size)],
    ['x', folderWith('x', { bytes: 2_000_000, endedMs: nowMs })],
  ]);
  const recording = new Map(['a', 'b'].map((key) => [key, running(specOf(3))]));
  const disk = { availableBytes: 20_000_000, capacityBytes: 100_000_000 };
  const state = nodeWith(['a', 'b'], { folders, recording, capacity: { ...capacity, disk } });
  expect(kinds(state)).toEqual(['a record', 'b record', 'x keep']);
});

test('running captures come first, then those of an earlier agent, then older Pods', () => {
  const recording = new Map([['d', running(specOf(3))]]);
  const diskBudgetBytes = 11_000_000;
  const state = nodeWith(['a', 'b', 'c', 'd'], {
    recording,
    capturedBefore: new Set(['c', 'b']),
    capacity: { ...capacity, diskBudgetBytes },
  });
  expect(kinds(state)).toEqual(['a refuse OverBudget', 'b record', 'c refuse OverBudget', 'd record']);
});

test('the captures of a Pod that has ended are kept for the retention time, whatever its annotation is', () => {
  const pod = podWith({ uid: 'a', phase: 'Succeeded', annotations: invalid });
  const folders = new Map([['a', folderWith('a', { endedMs: 0 })]]);
  expect(kinds(nodeWith([], { pods: new Map([['a', pod]]), folders }))).toEqual(['a delete RetentionOver']);
});

test('for any Node: decisions only for known UIDs, never too many captures, no deletion without a valid reason', () => {
  fc.assert(
    fc.property(anyNode(), (state) => {
      const { decisions } = plan(state);
      const isRecorded = (key: string) => decisions.get(key)?.kind === 'record';
      const held = (key: string) => placesOf(state.recording.get(key));
      const ending = [...state.recording.keys()].filter((key) => !isRecorded(key)).map(held);
      expect(
        new Set(decisions.keys()).isSubsetOf(new Set([...state.pods.keys(), ...state.folders.keys()])),
      ).toBe(true);
      const requested = [...decisions].flatMap(([key, decision]) =>
        decision.kind === 'record' ? [[key, decision.spec.interfaces.length] as const] : [],
      );
      expect(sumOf(requested.map(([, interfaces]) => interfaces))).toBeLessThanOrEqual(
        state.capacity.maxCaptures,
      );
      // An interface that is not asked for any more is captured until that has ended.
      const captured = requested.map(([key, interfaces]) => Math.max(interfaces, held(key)));
      expect(sumOf([...captured, ...ending])).toBeLessThanOrEqual(
        Math.max(state.capacity.maxCaptures, sumOf([...state.recording.keys()].map(held))),
      );
      for (const [key, decision] of decisions) {
        if (decision.kind !== 'delete') continue;
        const pod = state.pods.get(key);
        const isAnnotated = pod?.annotations['tcpdump.antrea.io'] !== undefined;
        const isRunning = pod !== undefined && pod.phase === 'Running';
        expect(decision.why === 'AnnotationRemoved').toBe(pod !== undefined && !isAnnotated);
        expect(isRunning && isAnnotated).toBe(false);
        expect(
          decision.why !== 'RetentionOver' || (state.folders.get(key)?.endedMs ?? nowMs) <= nowMs - 1_000,
        ).toBe(true);
      }
    }),
  );
});

test.each(['now', 'when what is evicted is gone'] as const)(
  'for any Node: what may be written never exceeds the budget or the minimum free disk %s, unless it did already',
  (when) => {
    fc.assert(
      fc.property(anyNode(), (state) => {
        const { diskBudgetBytes, disk, minFreeRatio } = state.capacity;
        const { onDisk, most, growing, evicted } = writtenBy(plan(state), state, when);
        const stayingBytes = when === 'now' ? evicted : 0;
        const mostBefore = runningBytes(state, plan(state).decisions);
        expect(most + stayingBytes).toBeLessThanOrEqual(
          Math.max(diskBudgetBytes, mostBefore + stayingBytes) + 1e-3,
        );
        const free = disk.availableBytes - minFreeRatio * disk.capacityBytes + evicted - stayingBytes;
        expect(growing).toBeLessThanOrEqual(Math.max(0, free) + 1e-3);
        expect(onDisk).toBeLessThanOrEqual(most);
      }),
      { numRuns: 2_000 },
    );
  },
);

test('for any Node: what is captured stays captured when the agent starts again, whoever else asks', () => {
  fc.assert(
    fc.property(anyNode(), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(2), (state, filled, fuller) => {
      const filledNode = afterFilling({ ...state, recording: new Map(), capturedBefore: new Set() }, filled);
      const captured = withSpareFiles(filledNode, fuller);
      const stayCaptured = recordedBy(captured).intersection(captured.recording);
      const restarted = {
        ...captured,
        recording: new Map(),
        capturedBefore: new Set(captured.recording.keys()),
      };
      expect(stayCaptured.isSubsetOf(recordedBy(restarted))).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('the same state gives the same plan, whatever the order of Pods and folders', () => {
  fc.assert(
    fc.property(anyNode(), (state) => {
      const reversed = {
        ...state,
        pods: new Map([...state.pods].toReversed()),
        folders: new Map([...state.folders].toReversed()),
      };
      const sorted = (given: NodeState) =>
        [...plan(given).decisions].toSorted(([a], [b]) => a.localeCompare(b));
      expect(sorted(reversed)).toEqual(sorted(state));
      expect(plan(reversed).nextMs).toBe(plan(state).nextMs);
    }),
  );
});

/** The captures that fit are running and have written that share of what they may; all other Pods are older. */
function afterFilling(state: NodeState, filled: number): NodeState {
  const { decisions } = plan(state);
  const folders = new Map(state.folders);
  const recording = new Map<string, RunningRecording>();
  let { availableBytes } = state.capacity.disk;
  for (const [key, decision] of decisions) {
    const before = state.folders.get(key) ?? folderWith(key);
    if (decision.kind === 'delete') {
      folders.delete(key);
      availableBytes += before.bytes;
    }
    if (decision.kind !== 'record') continue;
    const grownBytes = filled * (mostOf(before, [ringsSizeOf(decision.spec)]) - before.bytes);
    folders.set(key, { ...before, bytes: before.bytes + grownBytes });
    availableBytes -= grownBytes;
    recording.set(key, running(ringsSizeOf(decision.spec)));
  }
  const pods = [...state.pods].map(([key, pod]) => {
    const creationTimestamp = recording.has(key) ? pod.creationTimestamp : '2020-01-01T00:00:00Z';
    return [key, { ...pod, creationTimestamp }] as const;
  });
  const disk = { ...state.capacity.disk, availableBytes };
  return { ...state, pods: new Map(pods), folders, recording, capacity: { ...state.capacity, disk } };
}

/** Something else has filled the disk, but for that many megabytes beyond the minimum. */
function withSpareFiles(state: NodeState, megabytes: number): NodeState {
  const { capacity: before } = state;
  const leastBytes = before.minFreeRatio * before.disk.capacityBytes + megabytes * 1_000_000;
  const availableBytes = Math.min(before.disk.availableBytes, leastBytes);
  return { ...state, capacity: { ...before, disk: { ...before.disk, availableBytes } } };
}

function recordedBy(state: NodeState): ReadonlySet<string> {
  return new Set([...plan(state).decisions].flatMap(([key, { kind }]) => (kind === 'record' ? [key] : [])));
}

/** What the folders have and may have by that plan; what a waiting capture asks for only counts after the evictions. */
function writtenBy({ decisions }: Plan, state: NodeState, when: 'now' | 'when what is evicted is gone') {
  const sums = { onDisk: 0, most: 0, growing: 0, evicted: 0 };
  for (const [key, decision] of decisions) {
    const folder = state.folders.get(key) ?? folderWith(key);
    const { bytes } = folder;
    if (decision.kind === 'delete') {
      const writing = state.recording.get(key);
      sums.evicted += mostOf(folder, writing ? [writing.size, ...writing.formerSizes] : []);
      continue;
    }
    const now = state.recording.get(key);
    const written = now ? [now.size, ...now.formerSizes] : [];
    const isNext = decision.kind === 'wait' && decision.waitsFor === 'space' && when !== 'now';
    const isRecorded = decision.kind === 'record' || isNext;
    const most = mostOf(folder, isRecorded ? [ringsSizeOf(decision.spec), ...written] : written);
    sums.onDisk += bytes;
    sums.most += most;
    if (!isRecorded) continue;
    const isKept = now !== undefined || state.capturedBefore.has(key);
    if (!(isKept && isNearlyFull(bytes, now ? written : [ringsSizeOf(decision.spec)])))
      sums.growing += most - bytes;
  }
  return sums;
}

/** What a folder may have if rings of these sizes are written there: a larger file stays until newer ones fill the ring. */
function mostOf({ bytes, largestBytes }: FolderState, sizes: readonly RingsSize[]): number {
  return Math.max(
    bytes,
    ...sizes.flatMap((size) =>
      [ringBytes(size), size.files * mostFileBytes(size) + largestBytes].map((each) => size.rings * each),
    ),
  );
}

/** Lacks at most its newest file, whichever of these sizes it is asked for. */
function isNearlyFull(bytes: number, sizes: readonly RingsSize[]): boolean {
  return sizes.every(
    ({ files, fileMegabytes, rings }) => bytes >= rings * (files - 1) * fileMegabytes * 1_000_000,
  );
}

/** What stays on the disk even if every capture is refused. */
function runningBytes({ folders, recording }: NodeState, decisions: Plan['decisions']): number {
  let sum = 0;
  for (const [key, decision] of decisions) {
    if (decision.kind === 'delete') continue;
    const now = recording.get(key);
    sum += mostOf(folders.get(key) ?? folderWith(key), now ? [now.size, ...now.formerSizes] : []);
  }
  return sum;
}

/** Pods annotated with 3, each one second younger than the previous one. */
function nodeWith(names: readonly string[], more: Partial<NodeState>): NodeState {
  const pods = names.map((name, index) => {
    const creationTimestamp = `2026-01-01T00:00:0${index}Z`;
    const pod = podWith({ uid: name, creationTimestamp, annotations: { 'tcpdump.antrea.io': '3' } });
    return [name, pod] as const;
  });
  return {
    pods: new Map(pods),
    folders: new Map(),
    recording: new Map(),
    capturedBefore: new Set(),
    waits: new Map(),
    deletedBytes: 0,
    capacity,
    limits,
    policies: { ...noPolicies, known: 'all' },
    nowMs,
    unixMs,
    ...more,
  };
}

function anyNode(): fc.Arbitrary<NodeState> {
  const keys = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const pod = fc.record({
    annotation: fc.option(fc.constantFrom('1', '5', '100', 'bad'), { nil: undefined }),
    fileSize: fc.constantFrom('1', '2', '10'),
    interfaces: fc.constantFrom('eth0', 'eth0', 'eth0,lo', 'lo,net1,eth0'),
    phase: fc.constantFrom('Running', 'Failed'),
  });
  const size = fc.record({
    files: fc.constantFrom(1, 5, 100),
    fileMegabytes: fc.constantFrom(1, 2, 10),
    rings: fc.constantFrom(1, 1, 2, 3),
  });
  const recorded = fc.record({ size, formerSizes: fc.array(size, { maxLength: 2 }) });
  const folder = fc.record({
    files: fc.integer({ min: 1, max: 100 }),
    bytes: fc.nat(200_000_000),
    capturedMs: fc.nat(1_000),
    endedMs: fc.option(fc.nat(nowMs), { nil: undefined }),
  });
  return fc
    .record({
      pods: fc.dictionary(keys, pod),
      folders: fc.dictionary(keys, folder),
      recording: fc.dictionary(keys, recorded),
      capturedBefore: fc.uniqueArray(keys),
      maxCaptures: fc.nat(6),
      diskBudgetBytes: fc.nat(500_000_000),
      availableBytes: fc.nat(1_000_000_000),
    })
    .map(({ pods, folders, recording, capturedBefore, maxCaptures, diskBudgetBytes, availableBytes }) => ({
      pods: new Map(
        Object.entries(pods).map(([key, { annotation, fileSize, interfaces, phase }]) => {
          const annotations: Record<string, string> =
            annotation === undefined
              ? {}
              : {
                  'tcpdump.antrea.io': annotation,
                  'podcap.dev/file-size': fileSize,
                  'podcap.dev/interface': interfaces,
                };
          return [key, podWith({ uid: key, annotations, phase })];
        }),
      ),
      folders: new Map(Object.entries(folders).map(([key, state]) => [key, folderWith(key, state)])),
      recording: new Map(
        Object.entries(recording).map(([key, { size: asked, formerSizes }]) => [
          key,
          running(asked, formerSizes),
        ]),
      ),
      capturedBefore: new Set(capturedBefore),
      waits: new Map(),
      deletedBytes: 0,
      capacity: {
        ...capacity,
        maxCaptures,
        diskBudgetBytes,
        disk: { availableBytes, capacityBytes: 1_000_000_000 },
      },
      limits,
      policies: { ...noPolicies, known: 'all' as const },
      nowMs,
      unixMs,
    }));
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/** They have waited for that until now. */
function overdueWaits(keys: readonly string[], waitsFor: WaitsFor): ReadonlyMap<string, Wait> {
  return new Map(keys.map((key) => [key, { waitsFor, sinceMs: nowMs - silentWaitMs }]));
}

function kinds(state: NodeState): string[] {
  return [...plan(state).decisions]
    .map(([key, decision]) => {
      const why =
        decision.kind === 'refuse' ? decision.refusal.reason : decision.kind === 'delete' ? decision.why : '';
      return `${key} ${decision.kind} ${why}`.trimEnd();
    })
    .toSorted();
}

/** A capture that runs, and was asked for that from the start. */
function running(
  size: RingSize & { readonly rings?: number },
  formerSizes: readonly RingsSize[] = [],
): RunningRecording {
  const { files, fileMegabytes, rings = 1 } = size;
  return {
    capturedMs: 0,
    atMs: nowMs,
    size: { files, fileMegabytes, rings },
    formerSizes,
    receiveRings: [],
  };
}

/** Its files have the same size. */
function folderWith(key: string, state: Partial<FolderState> = {}): FolderState {
  const { files = 0, bytes = 0 } = state;
  return {
    pod: { namespace: 'default', name: 'web', uid: key },
    files: 0,
    bytes: 0,
    largestBytes: files === 0 ? 0 : bytes / files,
    capturedMs: 0,
    endedMs: undefined,
    ...neverFrozen,
    ...state,
  };
}
