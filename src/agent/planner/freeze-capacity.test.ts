import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FolderState } from '../storage/capture-folders.ts';
import type { FreezeRecord } from '../storage/freeze-records.ts';
import type { FrozenRing } from '../storage/frozen-rings.ts';
import { frozenRingBytes, ringBytes } from '../storage/ring-size.ts';
import { podWith } from '../testing/fixtures.ts';
import { freezeCapacities } from './freeze-capacity.ts';
import type { NodeState, RunningRecording } from './node-state.ts';
import { plan } from './plan.ts';
import { noPolicies } from './policies.ts';

const size = { files: 2, fileMegabytes: 1 };
const ring = ringBytes(size);
const frozenRing = frozenRingBytes(size);
const nowMs = 10_000;

describe('what is left is shared out', () => {
  const request = { needBytes: 10, isReserved: false, replaceableBytes: undefined };
  const granted = (requests: readonly object[], budgetBytes: number, diskBytes = 1_000) => {
    const named = requests.map((each, at) => ({ ...request, uid: `${at}`, ...each }));
    const { capacity, spare } = freezeCapacities(named, { budgetBytes, diskBytes });
    return { granted: [...capacity.values()], budgetBytes: spare.budgetBytes };
  };

  test.each<[string, readonly object[], number, readonly string[], number]>([
    ['in order', [{}, {}, {}], 25, ['enough', 'enough', 'none'], 5],
    ['after what is reserved', [{ isReserved: true }, {}], 10, ['enough', 'enough'], 0],
    ['where a frozen ring can make way', [{ replaceableBytes: 6 }], 4, ['replaces'], 0],
    ['not where even that is too little', [{ replaceableBytes: 5 }], 4, ['none'], 4],
    ['not where more is taken than there is', [{ isReserved: true }], -1, ['none'], -1],
  ])('%s', (_what, requests, spare, expected, left) => {
    expect(granted(requests, spare)).toEqual({ granted: expected, budgetBytes: left });
  });

  test('of the disk as well', () => {
    expect(granted([{}], 100, 9).granted).toEqual(['none']);
  });
});

function record(number: number, isFrozen = true): FreezeRecord {
  return {
    version: 1,
    number,
    causes: [],
    upTo: number,
    time: '2026-01-01T00:00:00.000Z',
    clock: { bootId: 'boot', startMs: 0 },
    notFrozenBefore: 0,
    log: { sequence: 1, seen: { bootId: 'boot', phase: 'Running', containers: [] }, notFrozen: 0 },
    ...(isFrozen && { frozen: {} }),
  };
}

function frozenWith(number: number, bytes: number, isFrozen = true): FrozenRing {
  return { folder: `frozen-${number}`, record: record(number, isFrozen), files: 1, bytes };
}

/** A folder with that much in its ring, and frozen rings of these sizes. */
function folderWith(
  uid: string,
  ringNow: number,
  frozen: readonly number[],
  more: Partial<FolderState> = {},
): FolderState {
  const frozenBytes = frozen.reduce((sum, bytes) => sum + bytes, 0);
  return {
    pod: { namespace: 'default', name: uid, uid },
    files: 1,
    bytes: ringNow + frozenBytes,
    frozenBytes,
    largestBytes: Math.min(ringNow, 1_000_000),
    capturedMs: 0,
    endedMs: undefined,
    freezes: { log: undefined, rings: frozen.map((bytes, at) => frozenWith(at + 1, bytes)) },
    ...more,
  };
}

function running(freezes: boolean, isAdmittedToFreeze = freezes): RunningRecording {
  return {
    capturedMs: 0,
    atMs: nowMs,
    isAdmittedToFreeze,
    size: { ...size, rings: 1, freezes },
    formerSizes: [],
    receiveRings: [],
  };
}

const annotations = { 'tcpdump.antrea.io': '2', 'podcap.dev/freeze-on': 'restart' };

type Node = {
  readonly pods?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly folders?: readonly FolderState[];
  readonly recording?: Readonly<Record<string, RunningRecording>>;
  readonly budgetBytes: number;
};

function planOf({ pods = { web: annotations }, folders = [], recording = {}, budgetBytes }: Node) {
  const state: NodeState = {
    pods: new Map(Object.entries(pods).map(([uid, given]) => [uid, podWith({ uid, annotations: given })])),
    folders: new Map(folders.map((folder) => [folder.pod.uid, folder])),
    recording: new Map(Object.entries(recording)),
    capturedBefore: new Set(),
    waits: new Map(),
    policies: noPolicies,
    deletedBytes: 0,
    capacity: {
      maxCaptures: 100,
      diskBudgetBytes: budgetBytes,
      bufferBudgetBytes: 1_000_000_000,
      bufferBytes: 4_000_000,
      fixedBufferKib: undefined,
      minFreeRatio: 0.2,
      disk: { availableBytes: 50_000_000_000, capacityBytes: 100_000_000_000 },
    },
    limits: { maxFiles: 100, maxFileMegabytes: 100, retentionMs: 60_000 },
    nowMs,
    unixMs: 0,
  };
  const { decisions, freezeCapacity } = plan(state);
  const kinds = [...decisions].map(([uid, decision]) => {
    const part = decision.kind === 'delete' && decision.keepsFrozen ? ' ring' : '';
    return `${uid} ${decision.kind}${part}`;
  });
  return { kinds: kinds.toSorted(), freezes: freezeCapacity.get('web') };
}

test('the first frozen ring is reserved with the request', () => {
  const enough = ring + frozenRing;
  expect(planOf({ budgetBytes: enough })).toEqual({ kinds: ['web record'], freezes: 'enough' });
  expect(planOf({ budgetBytes: enough - 1 })).toEqual({ kinds: ['web refuse'], freezes: undefined });
  expect(planOf({ budgetBytes: ring, pods: { web: { 'tcpdump.antrea.io': '2' } } }).kinds).toEqual([
    'web record',
  ]);
});

test('what is frozen is no part of the ring: another one needs its own room, which no capture is ended for', () => {
  const after = (budgetBytes: number, frozen: readonly number[]) =>
    planOf({
      budgetBytes,
      folders: [folderWith('web', ring, frozen)],
      recording: { web: running(false, true) },
    });
  expect(after(ring + 5 + frozenRing, [5])).toEqual({ kinds: ['web record'], freezes: 'enough' });
  expect(after(ring + 5 + frozenRing - 1, [5])).toEqual({ kinds: ['web record'], freezes: 'none' });
  // The first one never makes way.
  expect(after(ring + 5 + frozenRing - 1, [3, 2])).toEqual({ kinds: ['web record'], freezes: 'replaces' });
});

test('what was granted stays granted, and takes no other capture its place', () => {
  const folders = [folderWith('web', ring, [5])];
  const recording = { web: running(true) };
  const budgetBytes = ring + 5 + frozenRing;
  expect(planOf({ budgetBytes, folders, recording }).freezes).toBe('enough');
  const pods = { web: annotations, other: { 'tcpdump.antrea.io': '2' } };
  expect(planOf({ budgetBytes, folders, recording, pods }).kinds).toEqual(['other refuse', 'web record']);
});

test('while a ring is being frozen, nothing is granted', () => {
  const freezes = { log: undefined, rings: [frozenWith(1, 0, false)] };
  const folders = [folderWith('web', ring, [], { freezes })];
  const recording = { web: running(true) };
  expect(planOf({ budgetBytes: 10 * frozenRing, folders, recording }).freezes).toBeUndefined();
});

test('every ring of an ended Pod is evicted before a frozen one, oldest first', () => {
  const folders = [
    folderWith('old', ring, [ring], { endedMs: 1_000 }),
    folderWith('young', ring, [ring], { endedMs: 2_000 }),
  ];
  const pods = { web: { 'tcpdump.antrea.io': '2' } };
  const evicted = (budgetBytes: number) => planOf({ budgetBytes, folders, pods }).kinds;
  expect(evicted(5 * ring)).toEqual(['old keep', 'web record', 'young keep']);
  expect(evicted(4 * ring)).toEqual(['old delete ring', 'web wait', 'young keep']);
  expect(evicted(3 * ring)).toEqual(['old delete ring', 'web wait', 'young delete ring']);
  expect(evicted(2 * ring)).toEqual(['old delete', 'web wait', 'young delete ring']);
  expect(evicted(ring)).toEqual(['old delete', 'web wait', 'young delete']);
});

test('on any Node, what is captured and what may still be frozen fit into the budget', () => {
  const bytes = fc.integer({ min: 0, max: frozenRing });
  const pod = fc.record({
    ringNow: fc.integer({ min: 0, max: ring }),
    frozen: fc.array(bytes, { maxLength: 3 }),
  });
  const kinds = new Set<string | undefined>();
  fc.assert(
    fc.property(
      fc.array(pod, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 0, max: 20 }),
      (captured, spare) => {
        const folders = captured.map(({ ringNow, frozen }, at) =>
          folderWith(at === 0 ? 'web' : `web${at}`, ringNow, frozen),
        );
        const names = folders.map(({ pod: { uid } }) => uid);
        const stored = folders.reduce((sum, { frozenBytes }) => sum + frozenBytes, 0) + folders.length * ring;
        const reserved = captured.filter(({ frozen }) => frozen.length === 0).length * frozenRing;
        const budgetBytes = stored + reserved + (spare * frozenRing) / 5;
        const recording = Object.fromEntries(
          captured.map(({ frozen }, at) => [names[at] ?? '', running(frozen.length === 0)]),
        );
        const { freezes } = planOf({
          budgetBytes,
          folders,
          recording,
          pods: Object.fromEntries(names.map((name) => [name, annotations])),
        });
        kinds.add(freezes);
        const frozen = captured[0]?.frozen ?? [];
        const left = budgetBytes - stored - reserved + (frozen.length === 0 ? frozenRing : 0);
        const replaceable = frozen.slice(1).at(-1) ?? 0;
        expect(freezes).toBe(
          left >= frozenRing
            ? 'enough'
            : left + replaceable >= frozenRing && frozen.length > 1
              ? 'replaces'
              : 'none',
        );
      },
    ),
    { numRuns: 500 },
  );
  expect(kinds).toEqual(new Set(['enough', 'none', 'replaces']));
});

test('where the room to freeze is lost, the capture goes on, and gets it again', () => {
  const folders = [folderWith('web', ring, [])];
  const enough = ring + frozenRing;
  const lost = { folders, recording: { web: running(false, true) } };
  expect(planOf({ ...lost, budgetBytes: enough - 1 })).toEqual({ kinds: ['web record'], freezes: 'none' });
  expect(planOf({ ...lost, budgetBytes: enough }).freezes).toBe('enough');
  // One that was admitted without it asks for more.
  const without = { folders, recording: { web: running(false, false) } };
  expect(planOf({ ...without, budgetBytes: enough - 1 }).kinds).toEqual(['web refuse']);
});
