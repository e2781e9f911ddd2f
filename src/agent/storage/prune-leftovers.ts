import { lstat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { coalesced } from '../../base/coalesced.ts';
import { ifExists } from '../../base/fs-errors.ts';
import type { RecordedStart } from './capture-records.ts';
import type { RingFile } from './file-names.ts';
import type { DeletedPackets } from './frozen-rings.ts';
import type { CaptureFolder } from './generations.ts';
import { packetsIn } from './packets-in.ts';
import { type PodRings, ringOf } from './pod-rings.ts';
import { listRingFiles } from './ring-files.ts';
import { filesToPrune, type SizedRingFile } from './ring-pruning.ts';

/** Prunes what earlier captures left in one folder (ring-pruning.ts). */
export type LeftoverPruning = AsyncDisposable & {
  /** Deletes what is no longer part of the rings: a new file appeared, or a capture ended. */
  readonly prune: () => void;
  /** These rings are asked for from now on. Prunes. */
  readonly keep: (rings: PodRings) => void;
  /** Resolves when that is done. */
  readonly settled: () => Promise<void>;
  /** That many packets were deleted with a frozen ring. */
  readonly addPruned: (packets: DeletedPackets) => void;
  /** How many packets of the ring of that interface were deleted with their files since the last call. */
  readonly takePruned: (interfaceName: string) => number;
  /** How many packets of that capture were deleted with its files here, while it ran. */
  readonly prunedOf: (generation: number) => number;
};

export type LeftoverPruningOptions = {
  readonly folder: Pick<CaptureFolder, 'path' | 'starts' | 'countDead' | 'frozenUpTo'>;
  readonly rings: PodRings;
  /** The largest N that anyone may ask for. */
  readonly maxFiles: number;
  readonly log: Logger;
};

/** tcpdump reports each new file (preload/dumper.c); this finds what is left without a new one. */
const resyncMs = 30_000;

/**
 * Prunes when a file appears, when a capture ends, and when a smaller ring is asked for. Deleting is cheaper than
 * tcpdump's own wrap, which truncates the same inode and so makes ext4 write every captured byte to the disk (measured:
 * 648 MB against 0 MB at 1 Gb/s).
 */
export function startLeftoverPruning(options: LeftoverPruningOptions): LeftoverPruning {
  const { folder, maxFiles, log } = options;
  let { rings } = options;
  /** By the interface of the ring. */
  let pruned = new Map<string, number>();
  const prunedWhileRunning = new Map<number, number>();

  function count(captured: string | undefined, packets: number): void {
    const ring = ringOf(captured, rings.interfaces);
    pruned.set(ring, (pruned.get(ring) ?? 0) + packets);
  }

  async function pruneOne({ name, captured, generation, isRunning }: SurplusFile): Promise<void> {
    const path = join(folder.path, name);
    // What cannot be read must not stay: its packets are unknown.
    const packets = await packetsIn(path).catch((error: unknown) => {
      log.warn(
        { file: path, err: error },
        'pruning a capture file that cannot be read: its packets are not counted',
      );
      return 0;
    });
    // tcpdump prunes the same folder, and so does another agent during a rolling update: the one that deletes a file
    // counts its packets.
    if ((await ifExists(unlink(path).then(() => true))) !== true) return;
    count(captured, packets);
    if (isRunning) prunedWhileRunning.set(generation, (prunedWhileRunning.get(generation) ?? 0) + packets);
  }

  const pruning = coalesced(
    async () => {
      const failures: unknown[] = [];
      for (const file of await surplusFiles(folder, { rings, maxFiles }))
        await pruneOne(file).catch((error: unknown) => failures.push(error));
      if (failures.length > 0) throw failures[0];
    },
    (error) => log.warn({ folder: folder.path, err: error }, 'failed to prune capture files'),
  );

  pruning.run();
  const timer = setInterval(pruning.run, resyncMs);
  return {
    prune: pruning.run,
    keep(next) {
      rings = next;
      const before = pruned;
      pruned = new Map();
      for (const [captured, packets] of before) count(captured, packets);
      pruning.run();
    },
    settled: pruning.settled,
    addPruned(packets) {
      for (const [captured, number] of packets) count(captured, number);
    },
    takePruned(interfaceName) {
      const packets = pruned.get(interfaceName) ?? 0;
      pruned.delete(interfaceName);
      return packets;
    },
    prunedOf: (generation) => prunedWhileRunning.get(generation) ?? 0,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      pruning.run();
      await pruning.settled();
    },
  };
}

/** A file to delete, and the interface whose packets it has, if that is known. */
type SurplusFile = {
  readonly name: string;
  readonly captured: string | undefined;
  readonly generation: number;
  readonly isRunning: boolean;
};

/** Each ring is pruned alone: its files are those of its interface (pod-rings.ts). */
async function surplusFiles(
  folder: LeftoverPruningOptions['folder'],
  { rings, maxFiles }: Pick<LeftoverPruningOptions, 'rings' | 'maxFiles'>,
): Promise<SurplusFile[]> {
  // From the disk: another agent may have begun to freeze it.
  const frozenUpTo = await folder.frozenUpTo();
  const files = (await listRingFiles(folder.path)).filter(({ generation }) => generation > frozenUpTo);
  const starts = await folder.starts(new Set(files.map(({ generation }) => generation)));
  // What is deleted before it is counted would never count as captured.
  for (const [generation, start] of starts)
    if (start.awaitsRecount && !start.isRunning) await folder.countDead(generation);
  const capturedIn = ({ generation }: RingFile) => starts.get(generation)?.interface;
  const byRing = Map.groupBy(files, (file) => ringOf(capturedIn(file), rings.interfaces));
  const surplus: SurplusFile[] = [];
  for (const ofRing of byRing.values()) {
    if (isOfOneTcpdump(ofRing, starts, rings)) continue;
    const generations = new Set(ofRing.map(({ generation }) => generation));
    const names = new Set(
      filesToPrune({
        files: await sized(folder.path, ofRing),
        starts: new Map([...starts].filter(([generation]) => generations.has(generation))),
        size: rings.size,
        maxFiles,
      }),
    );
    const inRing = ofRing.filter(({ name }) => names.has(name));
    surplus.push(
      ...inRing.map((file) => ({
        name: file.name,
        captured: capturedIn(file),
        generation: file.generation,
        isRunning: starts.get(file.generation)?.isRunning ?? false,
      })),
    );
  }
  return surplus;
}

/** Usually there is one tcpdump, and it starts a file every few milliseconds: its library prunes them. */
function isOfOneTcpdump(
  files: readonly RingFile[],
  starts: ReadonlyMap<number, RecordedStart>,
  { size }: PodRings,
): boolean {
  const generations = new Set(files.map(({ generation }) => generation));
  if (generations.size !== 1 || files.length > size.files) return false;
  return [...generations].every((generation) => starts.get(generation)?.isRunning);
}

async function sized(folder: string, files: readonly RingFile[]): Promise<SizedRingFile[]> {
  const all = await Promise.all(
    files.map(async (file): Promise<SizedRingFile[]> => {
      const stats = await ifExists(lstat(join(folder, file.name)));
      return stats ? [{ ...file, bytes: stats.size }] : [];
    }),
  );
  return all.flat();
}
