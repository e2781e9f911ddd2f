import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { coalesced } from '../../base/coalesced.ts';
import { ifExists } from '../../base/fs-errors.ts';
import { countRecords } from '../../pcap/pcap-file.ts';
import { parseRingFile } from './file-names.ts';
import { type AgedFile, orderByAge } from './ring-order.ts';

/** The capture files of one folder: the newest N stand. */
export type LeftoverPruning = AsyncDisposable & {
  /** A new file appeared: the oldest goes. */
  readonly prune: () => void;
  /** Keeps so many files from now on; fewer go at once. */
  readonly keep: (files: number) => void;
  /** Resolves when what is to go has gone. */
  readonly settled: () => Promise<void>;
  /** How many packets were deleted since this was asked last. */
  readonly takePruned: () => number;
};

export type LeftoverPruningOptions = {
  readonly folder: string;
  readonly files: number;
  /** tcpdump's -W: after index wrapAfter - 1 comes 0 again. */
  readonly wrapAfter: number;
  readonly log: Logger;
};

/** tcpdump says when it opens a file (preload/dumper.c); this finds what was left before. */
const resyncMs = 30_000;

/**
 * Unlinks the oldest files when a new one appears: those of earlier captures, because each tcpdump deletes its own
 * (preload/dumper.c), and what is too much when fewer are kept. tcpdump's own wrap truncates the same inode instead, which makes
 * ext4 write every captured byte to the disk (measured: 648 MB against 0 MB at 1 Gb/s).
 */
export function startLeftoverPruning(options: LeftoverPruningOptions): LeftoverPruning {
  const { folder, wrapAfter, log } = options;
  let limit = options.files;
  let pruned = 0;

  async function pruneOne(name: string): Promise<void> {
    const path = join(folder, name);
    const count = await recordsIn(path);
    // tcpdump, and another agent during a rolling update, prune the same folder: one of them deletes it, and counts it.
    if ((await ifExists(unlink(path).then(() => true))) === true) pruned += count;
  }

  const pruning = coalesced(
    async () => {
      const files = orderByAge(await ringFiles(folder, wrapAfter), wrapAfter);
      for (const { name } of files.slice(0, Math.max(0, files.length - limit))) await pruneOne(name);
    },
    (error) => log.warn({ folder, err: error }, 'capture files not pruned'),
  );

  pruning.run();
  const timer = setInterval(pruning.run, resyncMs);
  return {
    prune: pruning.run,
    keep(files) {
      limit = files;
      pruning.run();
    },
    settled: pruning.settled,
    takePruned() {
      const taken = pruned;
      pruned = 0;
      return taken;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      pruning.run();
      await pruning.settled();
    },
  };
}

/** How many packets stand in that file; 0 when it is not there or no capture file. */
export async function recordsIn(path: string): Promise<number> {
  const counted = await ifExists(countRecords(path));
  return counted && 'records' in counted ? counted.records : 0;
}

async function ringFiles(folder: string, wrapAfter: number): Promise<AgedFile[]> {
  const files = (await readdir(folder)).flatMap((name) => parseRingFile(name) ?? []);
  if (files.length < wrapAfter) return files;
  // tcpdump may have come round: then only the times of the last change tell.
  return await Promise.all(
    files.map(async (file) => ({
      ...file,
      changedMs: (await ifExists(stat(join(folder, file.name))))?.mtimeMs ?? 0,
    })),
  );
}
