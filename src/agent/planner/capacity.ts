import type { FreeSpace } from '../storage/free-space.ts';
import { mostFileBytes, nominalFileBytes, type RingSize, ringBytes } from '../storage/ring-size.ts';
import { type Bytes, type EvictableRing, freeCapacity } from './free-capacity.ts';
import {
  diskAlmostFull,
  evictionsPending,
  neverFits,
  overDiskBudget,
  type Refusal,
  tooManyCaptures,
} from './refusals.ts';

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
  /** The size of every receive ring, in KiB; undefined lets them grow and shrink. */
  readonly fixedBufferKib: number | undefined;
  /** This share of the disk is never used, counted as the kubelet does: available / capacity. */
  readonly minFreeRatio: number;
  readonly disk: FreeSpace;
};

/** What a ring has on the disk, and what is written into it. */
export type WrittenRing = {
  /** How many bytes its files had when they were last measured, and the largest of them. */
  readonly bytes: number;
  readonly largestBytes: number;
  /** What is written already; undefined if no capture runs. */
  readonly running: RunningRing | undefined;
};

/** For a capture that is ending, or for files that are being deleted. */
export type WaitsFor = 'place' | 'space';

/** A ring that is to be written. */
export type RequestedRing = WrittenRing & {
  readonly uid: string;
  readonly spec: RingSize;
  /** An earlier agent captured the Pod, and this one does not yet: it keeps its capacity. */
  readonly wasCaptured: boolean;
  /** What it has waited for so long that it is reported. */
  readonly overdue: WaitsFor | undefined;
};

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
  /** Captures that run and are not requested any more: each has its place, and its receive ring, until it has ended. */
  readonly endingCaptures: number;
  /** Rings of ended Pods, oldest first: they are evicted before a requested one is refused. */
  readonly evictable: readonly EvictableRing[];
  /** The bytes of the other files that stay. */
  readonly otherBytes: number;
  /** What captures that are about to end may have written since they were measured, and may still write. */
  readonly otherGrowthBytes: number;
  /** The bytes of files that are to be deleted, whatever fits: until then they are there. */
  readonly leavingBytes: number;
  /** What captures in these folders may have written since they were measured, and may still write. */
  readonly leavingGrowthBytes: number;
  /** What was deleted since the disk was sampled: it is not free in that sample, and need not be freed once more. */
  readonly deletedBytes: number;
  readonly capacity: Capacity;
};

export type Admission = {
  /** UIDs whose files are deleted. */
  readonly evicted: ReadonlySet<string>;
  readonly refused: ReadonlyMap<string, Refusal>;
  /** UIDs whose request fits once what is evicted, deleted or ending anyway is gone. Every other request is admitted. */
  readonly waiting: ReadonlyMap<string, WaitsFor>;
  /** What is left when every admitted ring has become as large as it may. */
  readonly spare: Bytes;
};

/** Whether a running capture is asked for more than before: that is admitted like a new request. */
export function asksForMore({ spec, running }: Pick<RequestedRing, 'spec' | 'running'>): boolean {
  return running !== undefined && ringBytes(spec) > ringBytes(running.size);
}

/**
 * Whether a capture of that size may be replaced by one that starts before it stops: for that moment they are two rings.
 * If not, it stops first, and what passes meanwhile is missed. `begun` are the other captures that are being replaced
 * since the plan was made that left `spare`.
 */
export function mayOverlap(size: RingSize, spare: Bytes, begun: readonly RingSize[]): boolean {
  const needBytes = [size, ...begun].reduce((sum, each) => sum + ringBytes(each), 0);
  return needBytes <= Math.min(spare.budgetBytes, spare.diskBytes);
}

/** Decides which requests fit. Pure. Evicts nothing for a request that would not fit even then. */
export function admit(requests: CapacityRequests): Admission {
  const { requested, evictable, capacity } = requests;
  const limit = mostCaptures(capacity);
  const refused = new Map<string, Refusal>();
  const waiting = new Map<string, WaitsFor>();
  const leavingBytes = requests.leavingBytes + requests.leavingGrowthBytes;
  const pending = { budgetBytes: leavingBytes, diskBytes: leavingBytes + requests.deletedBytes };
  const space = freeCapacity({ free: freeBefore(requests), evictable, pending });
  // Something else fills the disk, or the budget was lowered.
  space.evictUntilFree({ budgetBytes: 0, diskBytes: 0 });
  let captures = 0;
  let ending = requests.endingCaptures;
  for (const ring of requested) {
    const need = needOf(ring);
    const hasPlace = ring.running !== undefined || captures + ending < limit;
    const refusal = refusalOf(ring, need, { captures, most: space.mostBytes(), capacity });
    if (!refusal && hasPlace) space.evictUntilFree(need);
    const short = shortOf(need, space.freeBytes());
    const waitsFor = hasPlace ? short && 'space' : 'place';
    const refusalNow =
      refusal ?? (waitsFor && waitsFor === ring.overdue ? stillWaits(short, { waitsFor, limit }) : undefined);
    if (refusalNow) {
      refused.set(ring.uid, refusalNow);
      space.take({ budgetBytes: 0, diskBytes: unmeasuredBytes(ring) });
      if (ring.running) ending += 1;
      continue;
    }
    if (waitsFor) waiting.set(ring.uid, waitsFor);
    // A full ring takes the rest of its newest file, and one more for a moment, even if they are not free.
    space.take({ budgetBytes: need.budgetBytes, diskBytes: growthBytes(ring) });
    captures += 1;
  }
  return { evicted: space.evicted, refused, waiting, spare: space.freeBytes() };
}

/**
 * The most bytes that the ring may have from its last measurement on, with what may have been written since. A file that
 * is larger than the request stays until newer ones fill the ring (storage/ring-pruning.ts).
 */
function mostBytes({ bytes, largestBytes, running }: WrittenRing, spec?: RingSize): number {
  const sizes = [...(spec ? [spec] : []), ...sizesOf(running)];
  const written = sizes.map((size) =>
    Math.max(ringBytes(size), size.files * mostFileBytes(size) + largestBytes),
  );
  return Math.max(bytes, ...written);
}

function sizesOf(running: RunningRing | undefined): RingSize[] {
  return running ? [running.size, ...running.formerSizes] : [];
}

/** How many bytes a ring that is written may have grown since it was measured, and may grow until its capture ends. */
export function unmeasuredBytes(ring: WrittenRing): number {
  return mostBytes(ring) - ring.bytes;
}

/** How much it may have grown since it was measured, and may still grow. */
function growthBytes(ring: RequestedRing): number {
  return mostBytes(ring, ring.spec) - ring.bytes;
}

/** Whether it is captured, or was until the agent started again, and asks for no more than then. */
function keepsCapacity(ring: RequestedRing): boolean {
  return ring.running ? !asksForMore(ring) : ring.wasCaptured;
}

/**
 * Whether a ring that is captured lacks no more than the rest of its newest file: from then on it deletes as much as it
 * writes. It continues however little is free.
 */
function isFull(ring: RequestedRing): boolean {
  const sizes = ring.running ? sizesOf(ring.running) : [ring.spec];
  return (
    keepsCapacity(ring) && sizes.every((size) => ring.bytes >= (size.files - 1) * nominalFileBytes(size))
  );
}

/**
 * What must be free for a ring to be admitted: of the budget, what it asks for beyond what it may have by now; of the
 * disk, what it may grow. Without a spare file, a capture close to the limit would start and stop repeatedly.
 */
function needOf(ring: RequestedRing): Bytes {
  const diskBytes = growthBytes(ring);
  const budgetBytes = diskBytes - unmeasuredBytes(ring);
  // Nothing is evicted for a full ring, even if less than nothing is left.
  if (isFull(ring)) return { budgetBytes, diskBytes: Number.NEGATIVE_INFINITY };
  return { budgetBytes, diskBytes: diskBytes + (keepsCapacity(ring) ? 0 : nominalFileBytes(ring.spec)) };
}

/** What is missing. What takes no more if it is admitted than if it is refused always fits. */
function shortOf(need: Bytes, free: Bytes): keyof Bytes | undefined {
  if (need.budgetBytes > Math.max(0, free.budgetBytes)) return 'budgetBytes';
  return need.diskBytes > Math.max(0, free.diskBytes) ? 'diskBytes' : undefined;
}

/** What is reported of an overdue request. */
function stillWaits(
  short: keyof Bytes | undefined,
  { waitsFor, limit }: { readonly waitsFor: WaitsFor; readonly limit: number },
): Refusal {
  return waitsFor === 'place' ? tooManyCaptures(limit) : evictionsPending(short);
}

/** How many captures are admitted so far, and the most that can still be freed for the next one. */
type Available = { readonly captures: number; readonly most: Bytes; readonly capacity: Capacity };

function refusalOf(
  ring: RequestedRing,
  need: Bytes,
  { captures, most, capacity }: Available,
): Refusal | undefined {
  const { diskBudgetBytes, minFreeRatio, disk } = capacity;
  const limit = mostCaptures(capacity);
  if (captures >= limit) return tooManyCaptures(limit);
  const short = shortOf(need, most);
  if (short === undefined) return undefined;
  const usableBytes = Math.min(diskBudgetBytes, (1 - minFreeRatio) * disk.capacityBytes);
  if (ringBytes(ring.spec) > usableBytes) return neverFits(ringBytes(ring.spec), usableBytes);
  return short === 'budgetBytes'
    ? overDiskBudget(mostBytes(ring, ring.spec), diskBudgetBytes)
    : diskAlmostFull(growthBytes(ring), minFreeRatio);
}

/** The most captures that have a receive ring. */
export function mostCaptures({
  maxCaptures,
  bufferBudgetBytes,
  bufferBytes,
}: Pick<Capacity, 'maxCaptures' | 'bufferBudgetBytes' | 'bufferBytes'>): number {
  return Math.min(maxCaptures, Math.floor(bufferBudgetBytes / bufferBytes));
}

/** Before any request is admitted: what a request may have on the disk by now stays there, even if it is refused. */
function freeBefore({
  requested,
  evictable,
  otherBytes,
  otherGrowthBytes,
  leavingBytes,
  leavingGrowthBytes,
  capacity,
}: CapacityRequests): Bytes {
  const { diskBudgetBytes, minFreeRatio, disk } = capacity;
  const writtenBytes = sumOf(requested) + requested.reduce((sum, ring) => sum + unmeasuredBytes(ring), 0);
  const unwrittenBytes = otherGrowthBytes + leavingGrowthBytes;
  return {
    budgetBytes:
      diskBudgetBytes - otherBytes - leavingBytes - unwrittenBytes - writtenBytes - sumOf(evictable),
    diskBytes: disk.availableBytes - minFreeRatio * disk.capacityBytes - unwrittenBytes,
  };
}

function sumOf(rings: readonly { readonly bytes: number }[]): number {
  return rings.reduce((sum, { bytes }) => sum + bytes, 0);
}
