import fc from 'fast-check';
import { ringFileBase, ringFileName } from '../storage/file-names.ts';
import { filesToPrune } from '../storage/ring-pruning.ts';
import {
  fileHeaderBytes,
  mostFileBytes,
  nominalFileBytes,
  type RingSize,
  ringBytes,
} from '../storage/ring-size.ts';

/** Something that happens to a Pod's ring. `which` chooses among the running starts, oldest first. */
export type ActionOnRing =
  | { readonly kind: 'start'; readonly listens: boolean }
  /** Each tcpdump that runs captures these packets. */
  | { readonly kind: 'write'; readonly packetBytes: readonly number[] }
  | { readonly kind: 'end'; readonly which: number }
  /** It has ended, and its record does not say so. */
  | { readonly kind: 'crash'; readonly which: number }
  /** The records of the crashed ones are too old. */
  | { readonly kind: 'notice' }
  /** Other files are asked for: of another size, by a new start. */
  | { readonly kind: 'resize'; readonly size: RingSize };

const maxFiles = 6;
const anyWrite = fc.record({
  kind: fc.constant('write' as const),
  packetBytes: fc.array(fc.oneof(fc.constant(262_160), fc.integer({ min: 60, max: 262_160 })), {
    maxLength: 30,
  }),
});
const which = fc.nat(3);
const anyStart = fc.record({ kind: fc.constant('start' as const), listens: fc.boolean() });
const anyEnd = fc.record({ kind: fc.constant('end' as const), which });
const anyCrash = fc.record({ kind: fc.constant('crash' as const), which });
const anyNotice = fc.record({ kind: fc.constant('notice' as const) });
const anyResize = fc.record({
  kind: fc.constant('resize' as const),
  size: fc.record({
    files: fc.integer({ min: 1, max: maxFiles }),
    fileMegabytes: fc.integer({ min: 1, max: 3 }),
  }),
});

/** Also of two agents, whose tcpdumps run at the same time. */
export const anyActions: fc.Arbitrary<readonly ActionOnRing[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: anyWrite },
    { weight: 3, arbitrary: anyStart },
    anyEnd,
    anyEnd,
    anyCrash,
    anyNotice,
    anyResize,
  ),
  { maxLength: 60 },
);

/** One tcpdump after the other, which all capture. */
export const restartsOnly: fc.Arbitrary<readonly ActionOnRing[]> = fc
  .array(fc.record({ written: anyWrite, ends: fc.oneof(anyEnd, anyCrash), noticed: fc.option(anyNotice) }), {
    maxLength: 20,
  })
  .map((runs) =>
    runs.flatMap(({ written, ends, noticed }) => [
      { kind: 'start', listens: true },
      written,
      { ...ends, which: 0 },
      ...(noticed ? [noticed] : []),
    ]),
  );

const recordEverySteps = 4;

type ModelFile = { readonly index: number; bytes: number; readonly packets: number[] };
type ModelStart = {
  readonly generation: number;
  readonly fileMegabytes: number;
  readonly listens: boolean;
  files: ModelFile[];
  nextIndex: number;
  phase: 'running' | 'crashed' | 'ended';
  /** As its record says: it is written every few steps, and once more in the step after the end. */
  lastMs: number;
  ranUntilMs: number;
  isEndRecorded: boolean;
};

/** A folder with what the tcpdumps, their libraries and the agent do to it. It asks for three files of 1 MB at first. */
export function openRing() {
  const starts: ModelStart[] = [];
  const captured: number[] = [];
  let size: RingSize = { files: 3, fileMegabytes: 1 };
  let hadTooMany = false;
  let nowMs = 0;
  let nextPacket = 0;

  const running = () => starts.filter(({ phase }) => phase === 'running');
  const seemingToRun = () => starts.filter(({ phase, files }) => phase !== 'ended' && files.length > 0);
  const files = () => starts.flatMap((each) => each.files);

  function prune(): void {
    hadTooMany ||= files().length > 2 * maxFiles;
    const named = new Map(
      starts.flatMap(({ generation, files: ofStart }) =>
        ofStart.map(
          (file) =>
            [ringFileName(ringFileBase('web', generation), file.index), { generation, file }] as const,
        ),
      ),
    );
    const pruned = filesToPrune({
      files: [...named].map(([name, { generation, file }]) => ({ name, generation, ...file })),
      starts: new Map(
        starts.map(({ generation, phase, listens: hasListened, lastMs, isEndRecorded }) => [
          generation,
          {
            isRunning: phase !== 'ended',
            hasListened,
            lastMs,
            latestEndMs: isEndRecorded ? lastMs : lastMs + recordEverySteps,
          },
        ]),
      ),
      size,
      maxFiles,
    });
    const gone = new Set(pruned.map((name) => named.get(name)?.file));
    for (const each of starts) each.files = each.files.filter((file) => !gone.has(file));
  }

  function startFile(of: ModelStart): void {
    of.files.push({ index: of.nextIndex, bytes: fileHeaderBytes, packets: [] });
    of.nextIndex += 1;
    keepNewest(of);
    prune();
  }

  /** As the library does. */
  function keepNewest(of: ModelStart): void {
    of.files = of.files.slice(-size.files);
  }

  function startNext(listens: boolean): void {
    const { fileMegabytes } = size;
    const next: ModelStart = {
      generation: starts.length + 1,
      fileMegabytes,
      listens,
      files: [],
      nextIndex: 0,
      phase: 'running',
      lastMs: nowMs,
      ranUntilMs: nowMs,
      isEndRecorded: false,
    };
    starts.push(next);
    startFile(next);
  }

  function writePacket(bytes: number): number {
    const capturing = running().filter(({ listens }) => listens);
    if (capturing.length > 0) captured.push(nextPacket);
    for (const each of capturing) {
      if ((each.files.at(-1)?.bytes ?? 0) >= nominalFileBytes(each)) startFile(each);
      const file = each.files.at(-1);
      file?.packets.push(nextPacket);
      if (file) file.bytes += bytes;
    }
    nextPacket += 1;
    return capturing.length * bytes;
  }

  function end(phase: 'ended' | 'crashed', index: number): void {
    const alive = running();
    const ending = alive[index % alive.length];
    if (!ending) return;
    ending.phase = phase;
    ending.ranUntilMs = nowMs;
    prune();
  }

  function writeRecords(): void {
    for (const each of running()) {
      each.ranUntilMs = nowMs;
      if ((nowMs + each.generation) % recordEverySteps === 0) each.lastMs = nowMs;
    }
    for (const each of starts.filter(({ phase }) => phase === 'ended')) {
      each.lastMs = each.ranUntilMs;
      each.isEndRecorded = true;
    }
  }

  function resize(next: RingSize): void {
    const isLarger = next.fileMegabytes !== size.fileMegabytes;
    size = next;
    if (isLarger && running().length > 0) {
      for (const each of running()) Object.assign(each, { phase: 'ended', ranUntilMs: nowMs });
      startNext(true);
    }
    for (const each of running()) keepNewest(each);
    prune();
  }

  return {
    size: () => size,
    /** Returns how many bytes were written. */
    act(action: ActionOnRing): number {
      hadTooMany = false;
      nowMs += 1;
      writeRecords();
      switch (action.kind) {
        case 'start':
          startNext(action.listens);
          return 0;
        case 'write':
          return action.packetBytes.reduce((sum, bytes) => sum + writePacket(bytes), 0);
        case 'end':
          end('ended', action.which);
          return 0;
        case 'crash':
          end('crashed', action.which);
          return 0;
        case 'notice':
          for (const each of starts) if (each.phase === 'crashed') each.phase = 'ended';
          prune();
          return 0;
        case 'resize':
          resize(action.size);
          return 0;
      }
    },
    /** Of the files that have packets. */
    bytes: () => bytesOf(files().filter(({ packets }) => packets.length > 0)),
    /** The numbers of the packets in the files, each once. */
    packets: () => [...new Set(files().flatMap((file) => file.packets))].toSorted((a, b) => a - b),
    /** The numbers of all packets that were captured. */
    captured: () => captured,
    count: () => files().length,
    /**
     * The most that the files may take: a file of a larger size than is asked for stays until newer ones fill the ring,
     * and what has crashed keeps its ring until that is noticed.
     */
    mostBytes(): number {
      const rings = seemingToRun()
        .map((each) =>
          each.phase === 'crashed' ? bytesOf(each.files) : ringBytes({ ...each, files: size.files }),
        )
        .toSorted((a, b) => b - a);
      const largest = Math.max(mostFileBytes(size), ...files().map(({ bytes }) => bytes));
      const writing = Math.max(mostFileBytes(size), ...seemingToRun().map(mostFileBytes));
      const [ring = 0, ...others] = rings;
      const one = Math.max(ring, (size.files - 1) * mostFileBytes(size) + largest + writing);
      return others.reduce((sum, bytes) => sum + bytes, one);
    },
    /** Of running tcpdumps, whose libraries delete them, there may be more. */
    mostFiles: () => Math.max(2 * maxFiles, seemingToRun().flatMap((each) => each.files).length),
    /** Whether the files are no more than N complete ones, whatever the last record of each file has beyond its size. */
    isWithinRing(): boolean {
      const counted = files().map(({ bytes }) => Math.min(bytes, nominalFileBytes(size)));
      return counted.reduce((sum, bytes) => sum + bytes, 0) <= size.files * nominalFileBytes(size);
    },
    /** Whether files went only because they were too many. */
    hadTooMany: () => hadTooMany,
    isOverlapping: () => seemingToRun().length > 1,
  };
}

function bytesOf(files: readonly ModelFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
