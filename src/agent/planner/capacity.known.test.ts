import { describe, expect, test } from 'vitest';
import type { FolderState } from '../storage/capture-folders.ts';
import { podWith } from '../testing/fixtures.ts';
import { ringBytes } from './capacity.ts';
import { type NodeState, plan, type Usage } from './plan.ts';

const gigabyte = 1_000_000_000;
/** A fifth of the disk stays free. */
const capacityBytes = 50 * gigabyte;
const freeShareBytes = capacityBytes / 5;
const largeFiles = { 'tcpdump.antrea.io': '95', 'podcap.dev/file-size': '100' };
const smallFiles = { 'tcpdump.antrea.io': '95', 'podcap.dev/file-size': '1' };
const captured: Usage = { capturedMs: 0, atMs: 0 };

describe('a capture of 95 files of 1 MB', () => {
  const small = folderOf('a', { files: 95, bytes: 95_000_000 });

  test('goes on when the disk has no more than its free share left', () => {
    expect(kindOf('a', nodeWith({ pods: [['a', smallFiles]], folders: [small], running: ['a'] }))).toBe(
      'record',
    );
  });

  test('is refused larger files then when one of the 95 is not there yet', () => {
    const almost = folderOf('a', { files: 94, bytes: 94_000_000 });
    expect(kindOf('a', nodeWith({ pods: [['a', largeFiles]], folders: [almost], running: ['a'] }))).toBe(
      'refuse',
    );
  });

  test.fails.each([
    ['has no more than its free share left', freeShareBytes],
    ['is nearly full', 10_000_000],
  ])(
    'gets no capacity for files of 100 MB when all 95 are there and the disk %s',
    (_what, availableBytes) => {
      const state = nodeWith({
        pods: [['a', largeFiles]],
        folders: [small],
        running: ['a'],
        disk: { availableBytes, capacityBytes },
      });
      expect(growthBytes(state)).toBe(0);
    },
  );
});

describe('captures that fill their large files and are then asked for small ones', () => {
  const { standing, asked } = captureInTurn(['a', 'b', 'c', 'd']);

  test('fit into the budget one at a time', () => {
    expect(asked[0]).toBe('record');
    expect(ringBytes({ files: 95, fileMegabytes: 100 })).toBeLessThan(10 * gigabyte);
  });

  test.fails('leave no capacity for the next one while their large files stand', () => {
    expect(standing).toBeLessThanOrEqual(10 * gigabyte);
  });
});

describe('a younger Pod that is captured beside an older one for which there is no capacity', () => {
  const node = {
    pods: [
      ['older', largeFiles],
      ['younger', largeFiles],
    ],
    folders: [folderOf('younger', { files: 50, bytes: 5 * gigabyte })],
    disk: { availableBytes: 40 * gigabyte, capacityBytes },
  } as const;

  test('goes on while the agent runs', () => {
    const state = nodeWith({ ...node, running: ['younger'] });
    expect([kindOf('older', state), kindOf('younger', state)]).toEqual(['refuse', 'record']);
  });

  test.fails('keeps its capacity when the agent starts again', () => {
    const state = nodeWith({ ...node, running: [] });
    expect([kindOf('older', state), kindOf('younger', state)]).toEqual(['refuse', 'record']);
  });
});

/** Each asks for 95 files of 100 MB, fills them if it may, and then asks for 95 of 1 MB. */
function captureInTurn(uids: readonly string[]): { readonly standing: number; readonly asked: string[] } {
  const folders: FolderState[] = [];
  const asked = uids.map((uid, index) => {
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
  return { standing: folders.reduce((sum, { bytes }) => sum + bytes, 0), asked };
}

type NodeSketch = {
  /** With their annotations, the oldest first. */
  readonly pods: readonly (readonly [uid: string, annotations: Readonly<Record<string, string>>])[];
  readonly folders: readonly FolderState[];
  readonly running: readonly string[];
  readonly disk?: NodeState['capacity']['disk'];
};

/** 10 GB are for captures. */
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
      disk: disk ?? { availableBytes: freeShareBytes, capacityBytes },
    },
    limits: { maxFiles: 100, maxFileMegabytes: 100, retentionMs: 1_000 },
    nowMs: 0,
  };
}

/** What the captures that run by the plan may take more than they have. */
function growthBytes(state: NodeState): number {
  return [...plan(state).decisions].reduce((sum, [uid, decision]) => {
    if (decision.kind !== 'record') return sum;
    return sum + Math.max(0, ringBytes(decision.spec) - (state.folders.get(uid)?.bytes ?? 0));
  }, 0);
}

function kindOf(uid: string, state: NodeState): string {
  return plan(state).decisions.get(uid)?.kind ?? 'nothing';
}

function folderOf(uid: string, has: Pick<FolderState, 'files' | 'bytes'>): FolderState {
  return { pod: { namespace: 'default', name: uid, uid }, ...has, capturedMs: 0, endedMs: undefined };
}
