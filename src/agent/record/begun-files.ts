import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { ifThere } from '../../base/missing.ts';
import { ringFileName } from '../keep/names.ts';
import type { Ring } from '../keep/ring.ts';

/** The files of one start of tcpdump, as it begins them. */
export type BegunFiles = {
  /** tcpdump has begun its next file, and the one before has so many packets. */
  readonly next: (packetsBefore: number) => void;
  /** Changes when something is written. */
  readonly written: () => Promise<string>;
};

/** Tells the ring of each file that is begun, and how many packets the one before has. */
export function beginFiles(
  ring: Pick<Ring, 'closed' | 'prune'>,
  file: string,
  wrapAfter: number,
): BegunFiles {
  let begun = 0;
  const name = (count: number) => ringFileName(file, count, wrapAfter);
  return {
    next(packetsBefore) {
      begun += 1;
      // Nothing is captured into the first one yet: what it makes old goes when tcpdump listens.
      if (begun === 1) return;
      ring.closed(basename(name(begun - 2)), packetsBefore);
      ring.prune();
    },
    async written() {
      const newest = await ifThere(stat(name(begun - 1)));
      return `${begun} ${newest?.size ?? 0}`;
    },
  };
}
