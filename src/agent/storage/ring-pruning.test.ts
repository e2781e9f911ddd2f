import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ActionOnRing, anyActions, openRing, restartsOnly } from '../testing/ring-model.ts';
import { ringFileBase, ringFileName } from './file-names.ts';
import { filesToPrune, type RingContents, type SizedRingFile, type StartState } from './ring-pruning.ts';
import { nominalFileBytes, type RingSize } from './ring-size.ts';

const ended = { isRunning: false, hasListened: true };
const running = { isRunning: true, hasListened: true };
const starting = { isRunning: true, hasListened: false };
const failed = { isRunning: false, hasListened: false };
const headerOnly = 24;
const megabyte = 1_000_000;

type PruningCase = {
  readonly what: string;
  /** By generation: what is known of the start, undefined if no agent started it, and the bytes of its files. */
  readonly starts: Readonly<
    Record<number, readonly [Omit<StartState, 'lastMs' | 'latestEndMs'> | undefined, ...number[]]>
  >;
  /** When each was last known to run; by default in the order of generations. */
  readonly lastMs?: Readonly<Record<number, number>>;
  /** Those that have ended, and whose record does not say so yet. */
  readonly isRecordOld?: readonly number[];
  /** The index of the first file of generations that do not begin with 0. */
  readonly firstIndices?: Readonly<Record<number, number>>;
  readonly files?: number;
  readonly fileMegabytes?: number;
  readonly maxFiles?: number;
  /** Deleted files, as <generation>.<index>. */
  readonly pruned: readonly string[];
};

const cases: readonly PruningCase[] = [
  {
    what: 'a start costs no file of the one before',
    starts: { 1: [ended, megabyte, megabyte, 300_000], 2: [running, headerOnly] },
    pruned: [],
  },
  {
    what: 'a file that exceeds its size by a record counts with its size',
    starts: { 1: [ended, 1_060_000, 1_260_000, 900_000], 2: [running, headerOnly] },
    pruned: [],
  },
  {
    what: 'the oldest file goes when newer complete ones fill the ring',
    starts: { 1: [ended, megabyte, megabyte, 300_000], 2: [running, megabyte, headerOnly] },
    pruned: ['1.0'],
  },
  {
    what: 'the N files of a running tcpdump are left to its library, whatever they have',
    starts: { 1: [running, 9 * megabyte, 9 * megabyte, 9 * megabyte] },
    pruned: [],
  },
  {
    what: 'a running tcpdump that is asked for fewer files may write none for long: the agent deletes them',
    starts: { 1: [running, megabyte, megabyte, megabyte, megabyte, headerOnly] },
    pruned: ['1.0', '1.1'],
  },
  {
    what: 'files that a tcpdump still writes stay while fewer and larger ones are asked for that hold more',
    starts: { 1: [running, megabyte, megabyte, 300_000] },
    files: 2,
    fileMegabytes: 2,
    pruned: [],
  },
  {
    what: 'nothing before a file that a library has deleted stays',
    starts: { 1: [ended, 300_000], 2: [running, megabyte, megabyte, headerOnly] },
    firstIndices: { 2: 4 },
    pruned: ['1.0'],
  },
  {
    what: 'the ring of a capture that has ended is pruned when it is asked for fewer files',
    starts: { 1: [ended, megabyte, megabyte, 300_000] },
    files: 1,
    pruned: ['1.0', '1.1'],
  },
  {
    what: 'while two run, each has its ring, and older files are pruned',
    starts: {
      1: [ended, 500_000],
      2: [running, megabyte, megabyte, 900_000],
      3: [running, megabyte, megabyte, 10_000],
    },
    pruned: [],
  },
  {
    what: 'the ring of the earlier one is pruned once it has ended',
    starts: { 2: [ended, megabyte, megabyte, 900_000], 3: [running, megabyte, megabyte, 10_000] },
    pruned: ['2.0', '2.1'],
  },
  {
    what: 'a file without packets goes when a later tcpdump has listened',
    starts: { 1: [ended, megabyte, headerOnly], 2: [failed, headerOnly], 3: [running, headerOnly] },
    pruned: ['1.1', '2.0'],
  },
  {
    what: 'until then it stays',
    starts: { 1: [ended, headerOnly], 2: [starting, headerOnly] },
    pruned: [],
  },
  {
    what: 'larger files of a former request stay until newer ones fill the ring',
    starts: { 1: [ended, 9 * megabyte, 5 * megabyte], 2: [running, megabyte, megabyte, headerOnly] },
    pruned: ['1.0'],
  },
  {
    what: 'above twice the largest number of files the oldest ones go',
    starts: { 1: [ended, 100], 2: [ended, 100], 3: [ended, 100], 4: [ended, 100], 5: [running, headerOnly] },
    files: 2,
    maxFiles: 2,
    pruned: ['1.0'],
  },
  {
    what: 'files of a generation that no agent started are the oldest',
    starts: { 1: [ended, megabyte, megabyte], 2: [running, 500_000], 99: [undefined, megabyte, megabyte] },
    pruned: ['99.0'],
  },
  {
    what: 'a tcpdump that goes on when its successor has failed keeps the newest packets',
    starts: { 1: [running, megabyte, megabyte, headerOnly], 2: [ended, megabyte, 500_000] },
    lastMs: { 1: 3, 2: 2 },
    pruned: ['2.0'],
  },
  {
    what: 'the successor of a tcpdump is the younger one though its record is older: it has just ended',
    starts: { 1: [ended, megabyte], 2: [ended, 800_000], 3: [running, headerOnly] },
    lastMs: { 1: 3, 2: 2 },
    isRecordOld: [2],
    files: 1,
    pruned: ['1.0'],
  },
];

test.each(cases)(
  '$what',
  ({
    starts,
    lastMs = {},
    isRecordOld = [],
    firstIndices = {},
    files = 3,
    fileMegabytes = 1,
    maxFiles = 100,
    pruned,
  }) => {
    const ring: RingContents = {
      files: Object.entries(starts).flatMap(([generation, [, ...sizes]]) =>
        sizes.map((bytes, at) =>
          fileOf(Number(generation), (firstIndices[Number(generation)] ?? 0) + at, bytes),
        ),
      ),
      starts: new Map(
        Object.entries(starts).flatMap(([key, [state]]) => {
          const generation = Number(key);
          const ms = lastMs[generation] ?? generation;
          const latestEndMs = isRecordOld.includes(generation) ? ms + 10 : ms;
          return state ? [[generation, { ...state, lastMs: ms, latestEndMs }]] : [];
        }),
      ),
      size: { files, fileMegabytes },
      maxFiles,
    };
    const names = new Map(ring.files.map(({ name, generation, index }) => [name, `${generation}.${index}`]));
    expect(filesToPrune(ring).map((name) => names.get(name))).toEqual(pruned);
  },
);

describe('for any history of one Pod', () => {
  test('the files never take more than N + 1 complete ones, and a ring for each further tcpdump that runs', () => {
    eachStep(anyActions, (ring) => expect(ring.bytes()).toBeLessThanOrEqual(ring.mostBytes()));
  });

  test('no step leaves less than there was and was written, or than N - 1 complete files', () => {
    eachStep(anyActions, (ring, { bytesBefore, writtenBytes, sizeBefore }) => {
      if (ring.hadTooMany()) return;
      const complete = [ring.size(), sizeBefore].map((size) => (size.files - 1) * nominalFileBytes(size));
      expect(ring.bytes()).toBeGreaterThanOrEqual(Math.min(bytesBefore + writtenBytes, ...complete));
    });
  });

  test('the files have all packets from the oldest one on', () => {
    eachStep(anyActions, (ring) => {
      if (ring.isOverlapping()) return;
      const packets = ring.packets();
      expect(packets).toEqual(ring.captured().slice(ring.captured().length - packets.length));
    });
  });

  test('there are never more than twice the largest number of files, except for those of running tcpdumps', () => {
    eachStep(anyActions, (ring) => expect(ring.count()).toBeLessThanOrEqual(ring.mostFiles()));
  });

  test('a start and an end cost no packet of a ring that one start has filled, and none of a smaller one', () => {
    eachStep(restartsOnly, (ring, { action, packetsBefore, isWithinRing }) => {
      const isRestart = action.kind === 'start' || action.kind === 'end' || action.kind === 'crash';
      if (!isRestart || !isWithinRing || ring.hadTooMany()) return;
      expect(ring.packets()).toEqual(packetsBefore);
    });
  });
});

type Step = {
  readonly action: ActionOnRing;
  readonly sizeBefore: RingSize;
  readonly bytesBefore: number;
  readonly packetsBefore: readonly number[];
  readonly writtenBytes: number;
  /** Before it, the files were no more than N complete ones. */
  readonly isWithinRing: boolean;
};

function eachStep(
  actions: fc.Arbitrary<readonly ActionOnRing[]>,
  check: (ring: ReturnType<typeof openRing>, step: Step) => void,
): void {
  fc.assert(
    fc.property(actions, (given) => {
      const ring = openRing();
      for (const action of given) {
        const before = {
          sizeBefore: ring.size(),
          bytesBefore: ring.bytes(),
          packetsBefore: ring.packets(),
          isWithinRing: ring.isWithinRing(),
        };
        check(ring, { action, ...before, writtenBytes: ring.act(action) });
      }
    }),
    { numRuns: 300 },
  );
}

function fileOf(generation: number, index: number, bytes: number): SizedRingFile {
  return { name: ringFileName(ringFileBase('web', generation), index), generation, index, bytes };
}
