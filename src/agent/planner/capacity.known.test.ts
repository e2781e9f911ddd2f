import { describe, expect, test } from 'vitest';
import type { FolderState } from '../storage/capture-folders.ts';
import { podWith } from '../testing/fixtures.ts';
import { ringBytes } from './capacity.ts';
import { type CapturedTime, type NodeState, plan } from './plan.ts';

const gigabyte = 1_000_000_000;
const capacityBytes = 50 * gigabyte;
/** The minimum free disk. */
const minFreeBytes = capacityBytes / 5;
const largeFiles = { 'tcpdump.antrea.io': '95', 'podcap.dev/file-size': '100' };
const smallFiles = { 'tcpdump.antrea.io': '95', 'podcap.dev/file-size': '1' };
const captured: CapturedTime = { capturedMs: 0, atMs: 0 };

describe('a capture of 95 files of 1 MB', () => {
  const small = folderOf('a', { files: 95, bytes: 95_000_000 });

  test('continues when the disk is down to its minimum free space', () => {
    expect(kindOf('a', nodeWith({ pods: [['a', smallFiles]], folders: [small], running: ['a'] }))).toBe(
      'record',
    );
  });

  test('is refused larger files then, if it does not have all 95 yet', () => {
    const almost = folderOf('a', { files: 94, bytes: 94_000_000 });
    expect(kindOf('a', nodeWith({ pods: [['a', largeFiles]], folders: [almost], running: ['a'] }))).toBe(
      'refuse',
    );
  });

  test.fails.each([
    ['is down to its minimum free space', minFreeBytes],
    ['is nearly full', 10_000_000],
  ])('gets no capacity for files of 100 MB when it has all 95 and the disk %s', (_what, availableBytes) => {
    const state = nodeWith({
      pods: [['a', largeFiles]],
      folders: [small],
      running: ['a'],
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

  test.fails('leave no capacity for the next one while their large files exist', () => {
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
    const state = nodeWith({ ...node, running: ['younger'] });
    expect([kindOf('older', state), kindOf('younger', state)]).toEqual(['refuse', 'record']);
  });

  test.fails('keeps its capacity when the agent restarts', () => {
    const state = nodeWith({ ...node, running: [] });
    expect([kindOf('older', state), kindOf('younger', state)]).toEqual(['refuse', 'record']);
  });
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
      running: folders.map(({ pod }) => pod.uid),
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
  readonly running: readonly string[];
  readonly disk?: NodeState['capacity']['disk'];
};

/** A Node with a disk budget of 10 GB. */
function nodeWith({ pods, folders, running, disk }: NodeSketch): NodeState {
  return {
    pods: new Map(
      pods.map(([uid, annotations], index) => {
        const creationTimestamp = `2026-01-01T00:00:0${index}Z`;
        return [uid, podWith({ uid, name: uid, annotations, creationTimestamp })];
      }),
    ),
    folders: new Map(folders.map((folder) => [folder.pod.uid, folder])),
    recording: new Map(running.map((uid) => [uid, captured])),
    capacity: {
      maxCaptures: 100,
      diskBudgetBytes: 10 * gigabyte,
      bufferBudgetBytes: gigabyte,
      bufferBytes: 4_000_000,
      minFreeRatio: 0.2,
      disk: disk ?? { availableBytes: minFreeBytes, capacityBytes },
    },
    limits: { maxFiles: 100, maxFileMegabytes: 100, retentionMs: 1_000 },
    nowMs: 0,
  };
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

function folderOf(uid: string, size: Pick<FolderState, 'files' | 'bytes'>): FolderState {
  return { pod: { namespace: 'default', name: uid, uid }, ...size, capturedMs: 0, endedMs: undefined };
}
