import { lstat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { coalesced } from '../../base/coalesced.ts';
import { ifExists } from '../../base/fs-errors.ts';
import type { CaptureFolder } from './generations.ts';
import { packetsIn } from './packets-in.ts';
import { listRingFiles } from './ring-files.ts';
import { filesToPrune, type SizedRingFile } from './ring-pruning.ts';
import type { RingSize } from './ring-size.ts';

/** Prunes what earlier captures left in one folder (ring-pruning.ts). */
export type LeftoverPruning = AsyncDisposable & {
  /** Deletes what is no longer part of the ring: a new file appeared, or a capture ended. */
  readonly prune: () => void;
  /** Changes the size of the ring, and prunes. */
  readonly keep: (size: RingSize) => void;
  /** Resolves when that is done. */
  readonly settled: () => Promise<void>;
  /** How many packets were deleted with their files since the last call. */
  readonly takePruned: () => number;
};

export type LeftoverPruningOptions = {
  readonly folder: Pick<CaptureFolder, 'path' | 'starts' | 'frozenUpTo'>;
  readonly size: RingSize;
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
  let { size } = options;
  let pruned = 0;

  async function pruneOne(name: string): Promise<void> {
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
    if ((await ifExists(unlink(path).then(() => true))) === true) pruned += packets;
  }

  const pruning = coalesced(
    async () => {
      const failures: unknown[] = [];
      for (const name of await surplusFiles(folder, { size, maxFiles }))
        await pruneOne(name).catch((error: unknown) => failures.push(error));
      if (failures.length > 0) throw failures[0];
    },
    (error) => log.warn({ folder: folder.path, err: error }, 'failed to prune capture files'),
  );

  pruning.run();
  const timer = setInterval(pruning.run, resyncMs);
  return {
    prune: pruning.run,
    keep(next) {
      size = next;
      pruning.run();
    },
    settled: pruning.settled,
    takePruned() {
      const packets = pruned;
      pruned = 0;
      return packets;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      pruning.run();
      await pruning.settled();
    },
  };
}

async function surplusFiles(
  folder: LeftoverPruningOptions['folder'],
  limits: Pick<LeftoverPruningOptions, 'size' | 'maxFiles'>,
): Promise<string[]> {
  const frozenUpTo = folder.frozenUpTo();
  const files = (await listRingFiles(folder.path)).filter(({ generation }) => generation > frozenUpTo);
  const starts = await folder.starts(new Set(files.map(({ generation }) => generation)));
  // Usually there is one tcpdump, and it starts a file every few milliseconds: its library prunes them.
  const isOneRing = starts.size === 1 && files.length <= limits.size.files;
  if (isOneRing && files.every(({ generation }) => starts.get(generation)?.isRunning)) return [];
  const sized = await Promise.all(
    files.map(async (file): Promise<SizedRingFile[]> => {
      const stats = await ifExists(lstat(join(folder.path, file.name)));
      return stats ? [{ ...file, bytes: stats.size }] : [];
    }),
  );
  return filesToPrune({ ...limits, files: sized.flat(), starts });
}
