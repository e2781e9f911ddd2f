import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { coalesced } from '../../base/coalesced.ts';
import { ifExists } from '../../base/fs-errors.ts';
import { countRecords } from '../../pcap/pcap-file.ts';
import { startedGenerations } from './capture-records.ts';
import { listRingFiles } from './ring-files.ts';
import { orderByAge } from './ring-order.ts';

/** Keeps the newest N capture files of one folder. */
export type LeftoverPruning = AsyncDisposable & {
  /** Deletes the oldest files beyond N: a new file appeared. */
  readonly prune: () => void;
  /** Changes N; files beyond it are deleted at once. */
  readonly keep: (files: number) => void;
  /** Resolves when the files beyond N are deleted. */
  readonly settled: () => Promise<void>;
  /** How many packets were deleted with their files since the last call. */
  readonly takePruned: () => number;
};

export type LeftoverPruningOptions = {
  readonly folder: string;
  /** N. */
  readonly files: number;
  readonly log: Logger;
};

/** tcpdump reports each new file (preload/dumper.c); this finds what is left without a new one. */
const resyncMs = 30_000;

/**
 * Deletes the oldest files when a new one appears, and when N becomes smaller. These are the files of earlier captures,
 * because the library in each tcpdump deletes that tcpdump's own (preload/ring.c). Deleting is cheaper than tcpdump's
 * own wrap, which truncates the same inode and so makes ext4 write every captured byte to the disk (measured: 648 MB
 * against 0 MB at 1 Gb/s).
 */
export function startLeftoverPruning(options: LeftoverPruningOptions): LeftoverPruning {
  const { folder, log } = options;
  let keptFiles = options.files;
  let pruned = 0;

  async function pruneOne(name: string): Promise<void> {
    const path = join(folder, name);
    // What cannot be read must not stay: its packets are unknown.
    const packets = await packetsIn(path).catch(() => 0);
    // tcpdump prunes the same folder, and so does another agent during a rolling update: the one that deletes a file
    // counts its packets.
    if ((await ifExists(unlink(path).then(() => true))) === true) pruned += packets;
  }

  const pruning = coalesced(
    async () => {
      const files = orderByAge(await listRingFiles(folder), await startedGenerations(folder));
      const surplus = files.slice(0, Math.max(0, files.length - keptFiles));
      const failures: unknown[] = [];
      for (const { name } of surplus) await pruneOne(name).catch((error: unknown) => failures.push(error));
      if (failures.length > 0) throw failures[0];
    },
    (error) => log.warn({ folder, err: error }, 'failed to prune capture files'),
  );

  pruning.run();
  const timer = setInterval(pruning.run, resyncMs);
  return {
    prune: pruning.run,
    keep(files) {
      keptFiles = files;
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

/** How many packets the file has; 0 if it does not exist or is no capture file. */
export async function packetsIn(path: string): Promise<number> {
  const counted = await ifExists(countRecords(path));
  return counted && 'records' in counted ? counted.records : 0;
}
