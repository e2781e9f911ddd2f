import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { coalesced } from './coalesced.ts';
import { ifThere } from './missing.ts';
import { parseRingFile, type RingFile } from './names.ts';

/** The capture files of one folder: the newest N stand. */
export type Ring = AsyncDisposable & {
  /** A new file appeared: the oldest goes. */
  readonly prune: () => void;
  /** Keeps so many files from now on; fewer go at once. */
  readonly keep: (files: number) => void;
  /** How many files it keeps. */
  readonly limit: () => number;
};

export type RingOptions = {
  readonly folder: string;
  readonly files: number;
  /** tcpdump's -W: after index wrapAfter - 1 comes 0 again. */
  readonly wrapAfter: number;
  readonly log: Logger;
};

/** tcpdump says when it opens a file (drain/drain.c); this finds what an agent before us left. */
const rescanMs = 5_000;

/**
 * Unlinks the oldest file when a new one appears. tcpdump's own wrap truncates the same inode instead, which makes
 * ext4 write every captured byte to the disk (measured: 648 MB against 0 MB at 1 Gb/s).
 */
export function startRing(options: RingOptions): Ring {
  const { folder, wrapAfter, log } = options;
  let limit = options.files;

  const pruning = coalesced(
    async () => {
      const files = orderByAge(await ringFiles(folder, wrapAfter), wrapAfter);
      for (const { name } of files.slice(0, Math.max(0, files.length - limit))) {
        // Another agent, during a rolling update, prunes the same folder.
        await ifThere(unlink(join(folder, name)));
      }
    },
    (error) => log.warn({ folder, err: error }, 'capture files not pruned'),
  );

  pruning.run();
  const timer = setInterval(pruning.run, rescanMs);
  return {
    prune: pruning.run,
    keep(files) {
      limit = files;
      pruning.run();
    },
    limit: () => limit,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      pruning.run();
      await pruning.settled();
    },
  };
}

/** `changedMs` is known only where the names do not tell the order. */
export type AgedFile = RingFile & { readonly changedMs?: number };

/**
 * Oldest first: by generation, then in the order in which tcpdump wrote them. Indices are circular: those that stand
 * are a run that may pass from wrapAfter - 1 to 0, and the oldest is the one after the widest gap.
 */
export function orderByAge(files: readonly AgedFile[], wrapAfter: number): AgedFile[] {
  const byGeneration = Map.groupBy(files, (file) => file.generation);
  return [...byGeneration]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([, group]) => (group.length < wrapAfter ? unrolled(group, wrapAfter) : byChange(group)));
}

function unrolled(files: readonly AgedFile[], wrapAfter: number): AgedFile[] {
  const sorted = files.toSorted((a, b) => a.index - b.index);
  const gaps = sorted.map((file, position) => {
    const before = sorted.at(position - 1)?.index ?? file.index;
    return position === 0 ? file.index + wrapAfter - before : file.index - before;
  });
  const start = gaps.indexOf(Math.max(...gaps));
  return [...sorted.slice(start), ...sorted.slice(0, start)];
}

/** The agent had stalled and tcpdump came round: there is no gap, only the times of the last change tell. */
function byChange(files: readonly AgedFile[]): AgedFile[] {
  return files.toSorted((a, b) => (a.changedMs ?? 0) - (b.changedMs ?? 0));
}

async function ringFiles(folder: string, wrapAfter: number): Promise<AgedFile[]> {
  const files = (await readdir(folder)).flatMap((name) => parseRingFile(name) ?? []);
  if (files.length < wrapAfter) return files;
  return await Promise.all(files.map((file) => withChange(folder, file)));
}

async function withChange(folder: string, file: RingFile): Promise<AgedFile> {
  const found = await ifThere(stat(join(folder, file.name)));
  return { ...file, changedMs: found?.mtimeMs ?? 0 };
}
