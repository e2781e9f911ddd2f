import { readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { ifExists } from '../../base/fs-errors.ts';
import { parseRingFile, ringFileName } from '../storage/file-names.ts';
import { type LeftoverPruning, recordsIn } from '../storage/prune-leftovers.ts';
import type { FilesBegun } from './tcpdump-output.ts';

/** The files of one start of tcpdump, as it begins them. */
export type TcpdumpFiles = {
  readonly next: (files: FilesBegun) => void;
  /** Changes when something is written. */
  readonly written: () => Promise<string>;
  /** How many packets were written into all of them: what a tcpdump that was killed cannot tell any more. */
  readonly packets: () => Promise<number>;
  /** How many of these it has deleted. */
  readonly pruned: () => number;
  /** Whether the files of a later start of tcpdump stand beside these: then these may go while they are written. */
  readonly isTakenOver: () => Promise<boolean>;
};

/** Makes the ring look when a file is begun. */
export function trackTcpdumpFiles(
  ring: Pick<LeftoverPruning, 'prune'>,
  file: string,
  wrapAfter: number,
): TcpdumpFiles {
  let { begun, packets, pruned }: FilesBegun = { begun: 0, packets: 0, pruned: 0 };
  const name = (count: number) => ringFileName(file, count, wrapAfter);
  return {
    next(files) {
      ({ begun, packets, pruned } = files);
      // Nothing is captured into the first one yet: what it makes old goes when tcpdump listens.
      if (begun > 1) ring.prune();
    },
    async written() {
      const newest = await ifExists(stat(name(begun - 1)));
      return `${begun} ${newest?.size ?? 0}`;
    },
    async packets() {
      if (begun === 0) return 0;
      // It may have begun more than it told; no more than half of the names are in use.
      const untold = Array.from({ length: wrapAfter / 2 }, (_, i) => recordsIn(name(begun - 1 + i)));
      return (await Promise.all(untold)).reduce((sum, records) => sum + records, packets);
    },
    pruned: () => pruned,
    async isTakenOver() {
      const ours = parseRingFile(`${basename(file)}0`)?.generation ?? 0;
      const names = (await ifExists(readdir(dirname(file)))) ?? [];
      return names.some((other) => (parseRingFile(other)?.generation ?? 0) > ours);
    },
  };
}
