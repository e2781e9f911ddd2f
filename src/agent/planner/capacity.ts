import type { FreeSpace } from '../storage/free-space.ts';
import type { CaptureSpec } from './annotations.ts';
import { diskAlmostFull, overDiskBudget, type Refusal, tooManyCaptures } from './refusals.ts';

/** What the captures of a Node may use, and how much of it the disk has. */
export type Capacity = {
  /** The most captures at a time. */
  readonly maxCaptures: number;
  /** For the capture files of all captures together. */
  readonly diskBudgetBytes: number;
  /** For the receive rings of all captures together, in the kernel's memory. */
  readonly bufferBudgetBytes: number;
  /** What one receive ring uses. */
  readonly bufferBytes: number;
  /** This share of the disk is never used, counted as the kubelet does: available / capacity. */
  readonly minFreeRatio: number;
  readonly disk: FreeSpace;
};

/** A ring that is to be written. */
export type RequestedRing = {
  readonly uid: string;
  readonly spec: Pick<CaptureSpec, 'files' | 'fileMegabytes'>;
  /** How many files it has now. */
  readonly files: number;
  /** How many bytes its files have now. */
  readonly bytes: number;
  /** Whether a capture is writing it already. */
  readonly isRunning: boolean;
};

export type CapacityRequests = {
  /** In the order in which they get capacity. */
  readonly requested: readonly RequestedRing[];
  /** Rings of ended Pods, oldest first: they are evicted before a requested one is refused. */
  readonly evictable: readonly { readonly uid: string; readonly bytes: number }[];
  /** The bytes of the other files that stay. */
  readonly otherBytes: number;
  readonly capacity: Capacity;
};

/** UIDs whose files are deleted, and UIDs whose request is refused; every other request is admitted. */
export type Admission = {
  readonly evicted: ReadonlySet<string>;
  readonly refused: ReadonlyMap<string, Refusal>;
};

/**
 * How far a file may pass its size: the packet that fills it is written whole (the largest file of 1 MB that was
 * measured had 1.052 MB, with segmentation offload).
 */
const fileOverrunBytes = 70_000;

/** The most bytes that a ring takes: for a moment it has one file more than it keeps. */
export function ringBytes({ files, fileMegabytes }: RequestedRing['spec']): number {
  return (files + 1) * (fileMegabytes * 1_000_000 + fileOverrunBytes);
}

/** Decides which requests fit. Pure. Evicts nothing for a request that would not fit even then. */
export function admit({ requested, evictable, otherBytes, capacity }: CapacityRequests): Admission {
  const refused = new Map<string, Refusal>();
  const space = freeCapacity(evictable, otherBytes, capacity);
  // Something else fills the disk, or the budget was lowered.
  space.evictUntilFree({ budgetBytes: 0, diskBytes: 0 });
  let captures = 0;
  for (const ring of requested) {
    const need = needOf(ring);
    const refusal = refusalOf(ring, need, { captures, most: space.mostBytes(), capacity });
    if (refusal) {
      refused.set(ring.uid, refusal);
      // Its files stay.
      space.take({ budgetBytes: ring.bytes, diskBytes: 0 });
      continue;
    }
    space.evictUntilFree(need);
    space.take(need);
    captures += 1;
  }
  return { evicted: space.evicted, refused };
}

/** Bytes of the disk budget, and bytes of the disk itself. */
type Bytes = { readonly budgetBytes: number; readonly diskBytes: number };

/** What a ring needs if it is admitted: its largest size of the budget, and what it may still grow of the disk. */
function needOf(ring: RequestedRing): Bytes {
  const budgetBytes = ringBytes(ring.spec);
  // A full ring deletes as much as it writes, however large its last packets are.
  const isFull = ring.isRunning && ring.files >= ring.spec.files;
  return { budgetBytes, diskBytes: isFull ? 0 : Math.max(0, budgetBytes - ring.bytes) };
}

/** How many captures are admitted so far, and the most that can still be freed for the next one. */
type Available = { readonly captures: number; readonly most: Bytes; readonly capacity: Capacity };

function refusalOf(
  ring: RequestedRing,
  need: Bytes,
  { captures, most, capacity }: Available,
): Refusal | undefined {
  const { maxCaptures, bufferBudgetBytes, bufferBytes, diskBudgetBytes, minFreeRatio } = capacity;
  const mostCaptures = Math.min(maxCaptures, Math.floor(bufferBudgetBytes / bufferBytes));
  if (captures >= mostCaptures) return tooManyCaptures(mostCaptures);
  if (need.budgetBytes > most.budgetBytes) return overDiskBudget(need.budgetBytes, diskBudgetBytes);
  // Without a spare file, a capture close to the limit would start and stop repeatedly.
  const spareBytes = ring.isRunning ? 0 : ring.spec.fileMegabytes * 1_000_000;
  if (need.diskBytes + spareBytes > Math.max(0, most.diskBytes)) {
    return diskAlmostFull(need.diskBytes, minFreeRatio);
  }
  return undefined;
}

/** Counts down what is free while requests are admitted one after the other. */
function freeCapacity(
  evictable: CapacityRequests['evictable'],
  otherBytes: number,
  { diskBudgetBytes, minFreeRatio, disk }: Capacity,
) {
  const left = [...evictable];
  const evicted = new Set<string>();
  let budgetBytes = diskBudgetBytes - otherBytes - sumOf(left);
  let diskBytes = disk.availableBytes - minFreeRatio * disk.capacityBytes;
  return {
    evicted,
    /** What would be free if everything evictable were evicted. */
    mostBytes: (): Bytes => ({ budgetBytes: budgetBytes + sumOf(left), diskBytes: diskBytes + sumOf(left) }),
    /** Evicts the oldest rings, no more than needed, until that much is free or none is left. */
    evictUntilFree(need: Bytes) {
      while (budgetBytes < need.budgetBytes || diskBytes < need.diskBytes) {
        const oldest = left.shift();
        if (!oldest) return;
        evicted.add(oldest.uid);
        budgetBytes += oldest.bytes;
        diskBytes += oldest.bytes;
      }
    },
    take(need: Bytes) {
      budgetBytes -= need.budgetBytes;
      diskBytes -= need.diskBytes;
    },
  };
}

function sumOf(rings: readonly { readonly bytes: number }[]): number {
  return rings.reduce((sum, { bytes }) => sum + bytes, 0);
}
