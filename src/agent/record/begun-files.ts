import { readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { ifThere } from '../../base/missing.ts';
import { countRecords } from '../../pcap/file.ts';
import { parseRingFile, ringFileName } from '../keep/names.ts';
import type { Ring } from '../keep/ring.ts';

/** The files of one start of tcpdump, as it begins them. */
export type BegunFiles = {
  /** tcpdump has begun its next file, and the one before has so many packets. */
  readonly next: (packetsBefore: number) => void;
  /** Changes when something is written. */
  readonly written: () => Promise<string>;
  /** How many packets were written into all of them: what a tcpdump that was killed cannot tell any more. */
  readonly packets: () => Promise<number>;
  /** Whether somebody took away the file that is being written; true when it is missing a second time. */
  readonly isGone: () => Promise<boolean>;
};

/** Tells the ring of each file that is begun, and how many packets the one before has. */
export function beginFiles(
  ring: Pick<Ring, 'closed' | 'prune'>,
  file: string,
  wrapAfter: number,
): BegunFiles {
  let begun = 0;
  let packetsBegun = 0;
  /** How many files were begun when the newest was missing. */
  let missingAt: number | undefined;
  const name = (count: number) => ringFileName(file, count, wrapAfter);
  return {
    next(packetsBefore) {
      begun += 1;
      packetsBegun += packetsBefore;
      // Nothing is captured into the first one yet: what it makes old goes when tcpdump listens.
      if (begun === 1) return;
      ring.closed(basename(name(begun - 2)), packetsBefore);
      ring.prune();
    },
    async written() {
      const newest = await ifThere(stat(name(begun - 1)));
      return `${begun} ${newest?.size ?? 0}`;
    },
    async packets() {
      const newest = begun === 0 ? undefined : await ifThere(countRecords(name(begun - 1)));
      return packetsBegun + (newest && 'records' in newest ? newest.records : 0);
    },
    async isGone() {
      const now = begun;
      if (now === 0 || (await ifThere(stat(name(now - 1)))) || (await isTakenOver(file))) {
        missingAt = undefined;
        return false;
      }
      // The ring may know of a newer file before its line was read.
      const isSecond = missingAt === now;
      missingAt = now;
      return isSecond;
    },
  };
}

/** In a ring of one file the next start's first one makes ours go, while both capture. */
async function isTakenOver(file: string): Promise<boolean> {
  const ours = parseRingFile(`${basename(file)}0`)?.generation ?? 0;
  const names = (await ifThere(readdir(dirname(file)))) ?? [];
  return names.some((name) => (parseRingFile(name)?.generation ?? 0) > ours);
}
