import type { FreeSpace } from '../storage/free-space.ts';
import type { CaptureSpec } from './annotations.ts';
import { diskAlmostFull, overDiskBudget, type Refusal, tooManyCaptures } from './refusals.ts';

/** What the captures of a Node may use, and how much of it the disk has. */
export type Capacity = {
  /** The most captures at a time. */
  readonly maxCaptures: number;
  /** For the capture files of all captures together. */
  readonly diskBudgetBytes: number;
  /** For the receive rings of all captures together, in the kernel's memory (receive-rings.ts). */
  readonly bufferBudgetBytes: number;
  /** What each capture reserves of that: its ring, and the one that replaces it after a change. */
  readonly bufferBytes: number;
  /** This share of the disk is never used, counted as the kubelet does: available / capacity. */
  readonly minFreeRatio: number;
  readonly disk: FreeSpace;
};

/** A ring that is to be written. */
export type RequestedRing = {
  readonly uid: string;
  readonly spec: RingSize;
  /** How many files it had when it was last measured. */
  readonly files: number;
  /** How many bytes its files had then. */
  readonly bytes: number;
  /** What is written already; undefined if no capture runs. */
  readonly running: RunningRing | undefined;
};

/** N, and how large each file becomes. */
export type RingSize = Pick<CaptureSpec, 'files' | 'fileMegabytes'>;

/** A ring that a capture writes. */
export type RunningRing = {
  /** What the capture was last asked for. */
  readonly size: RingSize;
  /** What it was asked for before: there may be files of it that are not measured yet. */
  readonly formerSizes: readonly RingSize[];
};

export type CapacityRequests = {
  /** In the order in which they get capacity. */
  readonly requested: readonly RequestedRing[];
  /** Rings of ended Pods, oldest first: they are evicted before a requested one is refused. */
  readonly evictable: readonly { readonly uid: string; readonly bytes: number }[];
  /** The bytes of the other files that stay. */
  readonly otherBytes: number;
  /** What captures that are about to end may have written since they were measured, and may still write. */
  readonly otherGrowthBytes: number;
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
export function ringBytes({ files, fileMegabytes }: RingSize): number {
  return (files + 1) * (fileMegabytes * 1_000_000 + fileOverrunBytes);
}

/** Whether a running capture is asked for more than before: that is admitted like a new request. */
export function asksForMore({ spec, running }: Pick<RequestedRing, 'spec' | 'running'>): boolean {
  return running !== undefined && ringBytes(spec) > ringBytes(running.size);
}

/** Decides which requests fit. Pure. Evicts nothing for a request that would not fit even then. */
export function admit(requests: CapacityRequests): Admission {
  const { requested, evictable, otherBytes, otherGrowthBytes, capacity } = requests;
  const refused = new Map<string, Refusal>();
  // What a request may have on the disk by now stays there, even if it is refused.
  const writtenBytes = sumOf(requested) + requested.reduce((sum, ring) => sum + unmeasuredBytes(ring), 0);
  const space = freeCapacity(evictable, otherBytes + otherGrowthBytes + writtenBytes, capacity);
  space.take({ budgetBytes: 0, diskBytes: otherGrowthBytes });
  // Something else fills the disk, or the budget was lowered.
  space.evictUntilFree({ budgetBytes: 0, diskBytes: 0 });
  let captures = 0;
  for (const ring of requested) {
    const need = needOf(ring);
    const refusal = refusalOf(ring, need, { captures, most: space.mostBytes(), capacity });
    if (refusal) {
      refused.set(ring.uid, refusal);
      space.take({ budgetBytes: 0, diskBytes: unmeasuredBytes(ring) });
      continue;
    }
    space.evictUntilFree(need);
    // A full ring takes the rest of its newest file, and one more for a moment, even if they are not free.
    space.take({ ...need, diskBytes: growthBytes(ring) });
    captures += 1;
  }
  return { evicted: space.evicted, refused };
}

/**
 * The most bytes that the ring may have from its last measurement on, with what may have been written since. Files that
 * are larger than the request stay until as many newer ones exist.
 */
function mostBytes({ spec, files, bytes, running }: Omit<RequestedRing, 'uid'>): number {
  const sizes = [spec, ...sizesOf(running)];
  return Math.max(
    ...sizes.map((size) => {
      const fileBytes = ringBytes(size) / (size.files + 1);
      return Math.max(ringBytes(size), bytes + Math.max(0, size.files - files) * fileBytes);
    }),
  );
}

function sizesOf(running: RunningRing | undefined): RingSize[] {
  return running ? [running.size, ...running.formerSizes] : [];
}

/** How many bytes a ring that is written may have grown since it was measured, and may grow until its capture ends. */
export function unmeasuredBytes(ring: Omit<RequestedRing, 'uid' | 'spec'>): number {
  return ring.running ? growthBytes({ ...ring, spec: ring.running.size }) : 0;
}

/** How much it may have grown since it was measured, and may still grow. */
function growthBytes(ring: Omit<RequestedRing, 'uid'>): number {
  return mostBytes(ring) - ring.bytes;
}

/**
 * Whether a running ring lacks no more than the rest of its newest file: from then on it deletes as much as it writes.
 * It continues however little is free.
 */
function isFull(ring: RequestedRing): boolean {
  if (!ring.running || asksForMore(ring)) return false;
  return sizesOf(ring.running).every(
    ({ files, fileMegabytes }) => ring.bytes >= (files - 1) * fileMegabytes * 1_000_000,
  );
}

/** Bytes of the disk budget, and bytes of the disk itself. */
type Bytes = { readonly budgetBytes: number; readonly diskBytes: number };

/** What must be free for a ring to be admitted: of the budget, what it asks for beyond what it may have by now. */
function needOf(ring: RequestedRing): Bytes {
  const diskBytes = growthBytes(ring);
  const budgetBytes = diskBytes - unmeasuredBytes(ring);
  // Nothing is evicted for a full ring, even if less than nothing is left.
  return { budgetBytes, diskBytes: isFull(ring) ? Number.NEGATIVE_INFINITY : diskBytes };
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
  // What takes no more if it is admitted than if it is refused is not refused.
  if (need.budgetBytes > Math.max(0, most.budgetBytes)) {
    return overDiskBudget(mostBytes(ring), diskBudgetBytes);
  }
  // Without a spare file, a capture close to the limit would start and stop repeatedly.
  const spareBytes = ring.running && !asksForMore(ring) ? 0 : ring.spec.fileMegabytes * 1_000_000;
  if (need.diskBytes + spareBytes > Math.max(0, most.diskBytes)) {
    return diskAlmostFull(need.diskBytes, minFreeRatio);
  }
  return undefined;
}

/** Counts down what is free while requests are admitted one after the other. */
function freeCapacity(
  evictable: CapacityRequests['evictable'],
  stayingBytes: number,
  { diskBudgetBytes, minFreeRatio, disk }: Capacity,
) {
  const left = [...evictable];
  const evicted = new Set<string>();
  let budgetBytes = diskBudgetBytes - stayingBytes - sumOf(left);
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
    take(bytes: Bytes) {
      budgetBytes -= bytes.budgetBytes;
      diskBytes -= bytes.diskBytes;
    },
  };
}

function sumOf(rings: readonly { readonly bytes: number }[]): number {
  return rings.reduce((sum, { bytes }) => sum + bytes, 0);
}
