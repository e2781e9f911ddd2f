/** N and M: how many files a ring has, and at how many megabytes of 1,000,000 bytes the next file starts. */
export type RingSize = { readonly files: number; readonly fileMegabytes: number };

/** The size of each of a Pod's rings, and how many it has: one for each interface. */
export type RingsSize = RingSize & {
  readonly rings: number;
  /** Each of them may be frozen, beside what is frozen already. */
  readonly freezes?: boolean;
};

/** The same without what may be frozen. */
export function withoutFreezing({ files, fileMegabytes, rings }: RingsSize): RingsSize {
  return { files, fileMegabytes, rings };
}

/**
 * How far a file may pass its size: the record that fills it is written whole. The largest packet that tcpdump captures
 * has 262,144 bytes (its default snaplen; an interface's gso_max_size can be larger than 64 KiB), and a record has a
 * header of 16. The header of the file, 24 bytes, counts towards the size at which the next file starts: the other 8
 * bytes are to spare.
 */
const fileOverrunBytes = 262_168;

/** What a capture file without packets has. */
export const fileHeaderBytes = 24;

/** The size at which the next file starts. */
export function nominalFileBytes({ fileMegabytes }: Pick<RingSize, 'fileMegabytes'>): number {
  return fileMegabytes * 1_000_000;
}

/** The most bytes that one file takes. */
export function mostFileBytes(size: Pick<RingSize, 'fileMegabytes'>): number {
  return nominalFileBytes(size) + fileOverrunBytes;
}

/** The most bytes that a ring takes: N complete files (ring-pruning.ts), and the one that is being written. */
export function ringBytes(size: RingSize): number {
  return (size.files + 1) * mostFileBytes(size);
}

/** The most bytes that all rings of a Pod take, with those that may be frozen. */
export function ringsBytes(size: RingsSize): number {
  return size.rings * (ringBytes(size) + (size.freezes ? frozenRingBytes(size) : 0));
}

/**
 * The most files that a ring gets between its trigger and its end as a frozen ring: N, and more only until the next
 * tcpdump captures, which takes milliseconds.
 */
export function mostFilesAfterTrigger({ files }: Pick<RingSize, 'files'>): number {
  return 2 * files + 4;
}

/** The most bytes that a frozen ring takes: what the ring had at its trigger, and what it got after. */
export function frozenRingBytes(size: RingSize): number {
  return (size.files + 1 + mostFilesAfterTrigger(size)) * mostFileBytes(size);
}
