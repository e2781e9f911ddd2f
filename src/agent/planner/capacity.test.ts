import { describe, expect, test } from 'vitest';
import type { FolderState } from '../storage/capture-folders.ts';
import { type RingSize, ringBytes } from '../storage/ring-size.ts';
import { neverFrozen, podWith } from '../testing/fixtures.ts';
import { spareRings } from './capacity.ts';
import type { NodeState, RunningRecording } from './node-state.ts';
import { plan } from './plan.ts';
import { noPolicies } from './policies.ts';

const gigabyte = 1_000_000_000;
const capacityBytes = 50 * gigabyte;
/** The minimum free disk. */
const minFreeBytes = capacityBytes / 5;
const largeFiles = { 'tcpdump.antrea.io': '95', 'podcap.dev/file-size': '100' };
const smallFiles = { 'tcpdump.antrea.io': '95', 'podcap.dev/file-size': '1' };
const large = { files: 95, fileMegabytes: 100 };
const small = { files: 95, fileMegabytes: 1 };

describe('a capture of 95 files of 1 MB', () => {
  const full = folderOf('a', { files: 95, bytes: 95_000_000 });

  test('continues when the disk is down to its minimum free space', () => {
    expect(
      kindOf('a', nodeWith({ pods: [['a', smallFiles]], folders: [full], running: [['a', small]] })),
    ).toBe('record');
  });

  test('is refused larger files then, if it does not have all 95 yet', () => {
    const almost = folderOf('a', { files: 94, bytes: 94_000_000 });
    expect(
      kindOf('a', nodeWith({ pods: [['a', largeFiles]], folders: [almost], running: [['a', small]] })),
    ).toBe('refuse');
  });

  test.each([
    ['is down to its minimum free space', minFreeBytes],
    ['is nearly full', 10_000_000],
  ])('gets no capacity for files of 100 MB when it has all 95 and the disk %s', (_what, availableBytes) => {
    const state = nodeWith({
      pods: [['a', largeFiles]],
      folders: [full],
      running: [['a', small]],
      disk: { availableBytes, capacityBytes },
    });
    expect(growthBytes(state)).toBe(0);
  });
});

describe('captures that fill their large files and then change to small ones', () => {
  const { fileBytes, decisions } = captureOneAfterAnother(['a', 'b', 'c', 'd']);

  test('fit into the budget one by one', () => {
    expect(decisions[0]).toBe('record');
    expect(ringBytes({ files: 95, fileMegabytes: 100 })).toBeLessThan(10 * gigabyte);
  });

  test('leave no capacity for the next one while their large files exist', () => {
    expect(fileBytes).toBeLessThanOrEqual(10 * gigabyte);
  });
});

describe('a younger Pod that is captured, next to an older one for which there is no capacity', () => {
  const node = {
    pods: [
      ['older', largeFiles],
      ['younger', largeFiles],
    ],
    folders: [folderOf('younger', { files: 50, bytes: 5 * gigabyte })],
    disk: { availableBytes: 40 * gigabyte, capacityBytes },
  } as const;

  test('stays captured while the agent runs', () => {
    const state = nodeWith({ ...node, running: [['younger', large]] });
    expect([kindOf('older', state), kindOf('younger', state)]).toEqual(['refuse', 'record']);
  });

  test('keeps it at the minimum free disk too, if its ring is full', () => {
    const full = { ...node, folders: [folderOf('younger', { files: 95, bytes: 9.5 * gigabyte })] };
    const disk = { availableBytes: minFreeBytes, capacityBytes };
    const state = nodeWith({ ...full, disk, running: [], capturedBefore: ['younger'] });
    expect([kindOf('older', state), kindOf('younger', state)]).toEqual(['refuse', 'record']);
  });

  test('keeps its capacity when the agent restarts', () => {
    const state = nodeWith({ ...node, running: [], capturedBefore: ['younger'] });
    expect([kindOf('older', state), kindOf('younger', state)]).toEqual(['refuse', 'record']);
  });
});

const plenty = { availableBytes: 900 * gigabyte, capacityBytes: 1_000 * gigabyte };
const oneLarge = { 'tcpdump.antrea.io': '1', 'podcap.dev/file-size': '100' };

type CapacityCase = NodeSketch & { readonly what: string; readonly kinds: readonly string[] };

const cases: readonly CapacityCase[] = [
  {
    what: 'a ring of small files that are many, but nearly empty, may still grow',
    pods: [['a', smallFiles]],
    folders: [folderOf('a', { files: 95, bytes: 95_000 })],
    running: [['a', small]],
    kinds: ['refuse'],
  },
  {
    what: 'a full ring of one file does not get a larger one',
    pods: [['a', oneLarge]],
    folders: [folderOf('a', { files: 1, bytes: 1_000_000 })],
    running: [['a', { files: 1, fileMegabytes: 1 }]],
    // Enough for the spare file, but not for the ring.
    disk: { availableBytes: minFreeBytes + 150_000_000, capacityBytes },
    kinds: ['refuse'],
  },
  {
    what: 'a full ring continues with fewer files',
    pods: [['a', { 'tcpdump.antrea.io': '90' }]],
    folders: [folderOf('a', { files: 95, bytes: 95_000_000 })],
    running: [['a', small]],
    kinds: ['record'],
  },
  {
    what: 'what a full ring may have until it rotates is free for no other capture',
    pods: [
      ['a', oneLarge],
      ['b', oneLarge],
    ],
    folders: [folderOf('a', { files: 1, bytes: 0 })],
    running: [['a', { files: 1, fileMegabytes: 100 }]],
    disk: { availableBytes: minFreeBytes + 350_000_000, capacityBytes },
    kinds: ['record', 'refuse'],
  },
  {
    what: 'what was written for an earlier request since the last measurement counts',
    pods: [
      ['a', smallFiles],
      ['b', largeFiles],
    ],
    folders: [folderOf('a', { files: 1, bytes: 0 })],
    running: [['a', large, small]],
    disk: plenty,
    kinds: ['record', 'refuse'],
  },
  {
    what: 'so it does in the plan that changes the request',
    pods: [
      ['a', smallFiles],
      ['b', largeFiles],
    ],
    folders: [folderOf('a', { files: 1, bytes: 0 })],
    running: [['a', large]],
    disk: plenty,
    kinds: ['record', 'refuse'],
  },
  {
    what: 'so it does when the request becomes invalid',
    pods: [
      ['a', { 'tcpdump.antrea.io': 'many' }],
      ['b', largeFiles],
    ],
    folders: [folderOf('a', { files: 1, bytes: 0 })],
    running: [['a', large]],
    disk: plenty,
    kinds: ['refuse', 'refuse'],
  },
  {
    what: 'a file that has become too large counts until newer ones fill the ring',
    pods: [
      ['a', { 'tcpdump.antrea.io': '100', 'podcap.dev/file-size': '50' }],
      ['b', largeFiles],
    ],
    folders: [folderOf('a', { files: 50, bytes: 5 * gigabyte })],
    running: [['a', { files: 100, fileMegabytes: 50 }]],
    disk: plenty,
    // Without that file, both would fit.
    diskBudgetBytes: ringBytes({ files: 100, fileMegabytes: 50 }) + ringBytes(large) + 20_000_000,
    kinds: ['record', 'refuse'],
  },
  {
    what: 'a capture that asks for more does not end one that runs',
    pods: [
      ['a', largeFiles],
      ['b', largeFiles],
    ],
    folders: [folderOf('a', { files: 1, bytes: 0 }), folderOf('b', { files: 1, bytes: 0 })],
    running: [
      ['a', small],
      ['b', large],
    ],
    disk: plenty,
    kinds: ['refuse', 'record'],
  },
  {
    what: 'files of a refused Pod are on the disk, whichever Pod is older',
    pods: [
      ['a', largeFiles],
      ['b', largeFiles],
    ],
    folders: [folderOf('b', { files: 60, bytes: 6 * gigabyte })],
    running: [],
    disk: plenty,
    kinds: ['refuse', 'record'],
  },
  {
    what: 'a ring that is larger than the budget may become smaller',
    pods: [['a', smallFiles]],
    folders: [folderOf('a', { files: 95, bytes: 9_500_000_000 })],
    running: [],
    disk: plenty,
    diskBudgetBytes: gigabyte,
    kinds: ['record'],
  },
];

describe('a capture that starts before the one that it replaces stops', () => {
  const ring = ringBytes(large);

  test.each([
    ['both rings fit', { budgetBytes: ring, diskBytes: ring }, [], 1],
    ['the budget has less than a ring left', { budgetBytes: ring - 1, diskBytes: ring }, [], 0],
    ['the disk has less than a ring left', { budgetBytes: ring, diskBytes: ring - 1 }, [], 0],
    ['another one has begun that takes what is left', { budgetBytes: ring, diskBytes: ring }, [small], 0],
    ['there is enough for both', { budgetBytes: 2 * ring, diskBytes: 2 * ring }, [large], 1],
    ['there is enough for several', { budgetBytes: 5 * ring, diskBytes: 4.5 * ring }, [large], 3],
    ['less than nothing is left', { budgetBytes: -ring, diskBytes: ring }, [], 0],
  ])('%s', (_what, spare, begun, expected) => {
    expect(spareRings(large, spare, begun)).toBe(expected);
  });

  test('may take what the plan leaves', () => {
    const state = nodeWith({
      pods: [['a', smallFiles]],
      folders: [folderOf('a', { files: 95, bytes: 95_000_000 })],
      running: [['a', small]],
      disk: plenty,
    });
    expect(plan(state).spare.budgetBytes).toBe(10 * gigabyte - ringBytes(small));
    expect(plan(state).spare.diskBytes).toBe(
      plenty.availableBytes - 0.2 * plenty.capacityBytes - (ringBytes(small) - 95_000_000),
    );
  });
});

describe('a request that does not fit', () => {
  const refusalOf = (sketch: Omit<NodeSketch, 'folders' | 'running'>) => {
    const decision = plan(nodeWith({ folders: [], running: [], ...sketch })).decisions.get('b');
    return decision?.kind === 'refuse' ? decision.refusal.message : undefined;
  };

  test('is told that it never will if its ring alone is larger than the budget', () => {
    const sketch = { pods: [['b', largeFiles]], disk: plenty, diskBudgetBytes: gigabyte } as const;
    expect(refusalOf(sketch)).toContain('it cannot start on this Node unless');
  });

  test('is told the same if its ring alone is larger than what the disk may give', () => {
    const disk = { availableBytes: 6 * gigabyte, capacityBytes: 8 * gigabyte };
    expect(refusalOf({ pods: [['b', largeFiles]], disk })).toContain('it cannot start on this Node unless');
  });

  test('is told that it starts later if others take the budget', () => {
    const pods = [
      ['a', largeFiles],
      ['b', largeFiles],
    ] as const;
    expect(refusalOf({ pods, disk: plenty })).toContain('it starts when enough of them have ended');
  });
});

test.each(cases)('$what', ({ kinds, ...sketch }) => {
  const state = nodeWith(sketch);
  expect([...state.pods.keys()].map((uid) => kindOf(uid, state))).toEqual(kinds);
});

/** Each Pod asks for 95 files of 100 MB, fills them if admitted, and then asks for 95 of 1 MB. */
function captureOneAfterAnother(uids: readonly string[]): {
  readonly fileBytes: number;
  readonly decisions: string[];
} {
  const folders: FolderState[] = [];
  const decisions = uids.map((uid, index) => {
    const state = nodeWith({
      pods: uids.slice(0, index + 1).map((each) => [each, each === uid ? largeFiles : smallFiles] as const),
      folders,
      running: folders.map(({ pod }) => [pod.uid, small] as const),
      disk: { availableBytes: 900 * gigabyte, capacityBytes: 1_000 * gigabyte },
    });
    const kind = kindOf(uid, state);
    if (kind === 'record') folders.push(folderOf(uid, { files: 95, bytes: 9.5 * gigabyte }));
    return kind;
  });
  return { fileBytes: folders.reduce((sum, { bytes }) => sum + bytes, 0), decisions };
}

type NodeSketch = {
  /** UIDs with their annotations, oldest Pod first. */
  readonly pods: readonly (readonly [uid: string, annotations: Readonly<Record<string, string>>])[];
  readonly folders: readonly FolderState[];
  /** UIDs with what their captures were asked for so far, the newest last. */
  readonly running: readonly (readonly [uid: string, ...sizes: RingSize[]])[];
  readonly capturedBefore?: readonly string[];
  readonly diskBudgetBytes?: number;
  readonly disk?: NodeState['capacity']['disk'];
};

/** A Node with a disk budget of 10 GB. */
function nodeWith({ pods, folders, running, capturedBefore, disk, diskBudgetBytes }: NodeSketch): NodeState {
  return {
    pods: new Map(
      pods.map(([uid, annotations], index) => {
        const creationTimestamp = `2026-01-01T00:00:0${index}Z`;
        return [uid, podWith({ uid, name: uid, annotations, creationTimestamp })];
      }),
    ),
    folders: new Map(folders.map((folder) => [folder.pod.uid, folder])),
    recording: new Map(running.map(([uid, ...sizes]) => [uid, recordingOf(sizes)])),
    capturedBefore: new Set(capturedBefore),
    waits: new Map(),
    deletedBytes: 0,
    capacity: {
      maxCaptures: 100,
      diskBudgetBytes: diskBudgetBytes ?? 10 * gigabyte,
      bufferBudgetBytes: gigabyte,
      bufferBytes: 4_000_000,
      fixedBufferKib: 4_096,
      minFreeRatio: 0.2,
      disk: disk ?? { availableBytes: minFreeBytes, capacityBytes },
    },
    limits: { maxFiles: 100, maxFileMegabytes: 100, retentionMs: 1_000 },
    policies: noPolicies,
    nowMs: 0,
    unixMs: 0,
  };
}

function recordingOf(sizes: readonly RingSize[]): RunningRecording {
  const [last, ...formerSizes] = sizes.map((each) => ({ ...each, rings: 1 })).toReversed();
  if (!last) throw new Error('a capture without a request');
  return { capturedMs: 0, atMs: 0, size: last, formerSizes, receiveRings: [] };
}

/** How many bytes the planned captures may grow. */
function growthBytes(state: NodeState): number {
  return [...plan(state).decisions].reduce((sum, [uid, decision]) => {
    if (decision.kind !== 'record') return sum;
    return sum + Math.max(0, ringBytes(decision.spec) - (state.folders.get(uid)?.bytes ?? 0));
  }, 0);
}

function kindOf(uid: string, state: NodeState): string {
  return plan(state).decisions.get(uid)?.kind ?? 'nothing';
}

/** Its files have the same size. */
function folderOf(uid: string, { files, bytes }: Pick<FolderState, 'files' | 'bytes'>): FolderState {
  const pod = { namespace: 'default', name: uid, uid };
  return {
    pod,
    files,
    bytes,
    largestBytes: bytes / files,
    capturedMs: 0,
    endedMs: undefined,
    ...neverFrozen,
  };
}
