import { lstat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ifExists } from '../../base/fs-errors.ts';
import { isFileFrom, parseRingFile, ringFileName } from '../storage/file-names.ts';
import { packetsIn } from '../storage/packets-in.ts';
import type { LeftoverPruning } from '../storage/prune-leftovers.ts';
import { listRingFiles } from '../storage/ring-files.ts';
import type { FilesStarted } from './tcpdump-output.ts';

/** Keeps track of the files of one tcpdump. */
export type TcpdumpFiles = {
  /** tcpdump has started its next file, or several. */
  readonly next: (files: FilesStarted) => void;
  /** How many it has started so far. */
  readonly started: () => number;
  /** As it has reported last. */
  readonly reported: () => FilesStarted;
  /** A text that changes whenever something is written. */
  readonly written: () => Promise<string>;
  /** How many packets are in all of them, deleted ones included: a killed tcpdump can no longer report that. */
  readonly packets: () => Promise<number>;
  /** How many of these packets were in files that it has deleted. */
  readonly pruned: () => number;
  /** The later tcpdumps that have files, by generation: those of this interface may push these out. */
  readonly later: () => Promise<readonly number[]>;
};

/** `file` is the path without an index. Prunes the leftovers whenever a file is started. */
export function trackTcpdumpFiles(pruning: Pick<LeftoverPruning, 'prune'>, file: string): TcpdumpFiles {
  let { started, packets, pruned }: FilesStarted = { started: 0, packets: 0, pruned: 0 };
  const folder = dirname(file);
  const ours = parseRingFile(`${basename(file)}0`)?.generation ?? 0;
  const existingFiles = async () => (await ifExists(listRingFiles(folder))) ?? [];
  return {
    next(files) {
      ({ started, packets, pruned } = files);
      // Nothing is captured into the first file yet: it pushes out an old one when tcpdump listens (capture.ts).
      if (started > 1) pruning.prune();
    },
    started: () => started,
    reported: () => ({ started, packets, pruned }),
    async written() {
      const newest = await ifExists(lstat(ringFileName(file, started - 1)));
      return `${started} ${newest?.size ?? 0}`;
    },
    async packets() {
      if (started === 0) return 0;
      let sum = packets;
      // It may have started more files than it reported.
      for (const { name, generation, index } of await existingFiles())
        if (generation === ours && isFileFrom(started - 1, index)) sum += await packetsIn(join(folder, name));
      return sum;
    },
    pruned: () => pruned,
    async later() {
      return (await existingFiles()).flatMap(({ generation }) => (generation > ours ? [generation] : []));
    },
  };
}
