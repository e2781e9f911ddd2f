import type { FreeSpace } from '../storage/free-space.ts';
import {
  mostFileBytes,
  nominalFileBytes,
  type RingSize,
  type RingsSize,
  ringBytes,
  ringsBytes,
  withoutFreezing,
} from '../storage/ring-size.ts';
import { type Bytes, type EvictableRing, type EvictedPart, freeCapacity } from './free-capacity.ts';
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
  /** The most captures at a time: one for each interface of a Pod. */
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

/** What the rings of a Pod have on the disk, and what is written into them. */
export type WrittenRings = {
  /** How many bytes their files had when they were last measured, and the largest of them. */
  readonly bytes: number;
  readonly largestBytes: number;
  /** How many of these bytes are in frozen rings: they stay, whatever is written. */
  readonly frozenBytes: number;
  /** What is written already; undefined if no capture runs. */
  readonly running: RunningRings | undefined;
};

/** For a capture that is ending, or for files that are being deleted. */
export type WaitsFor = 'place' | 'space';

/** The rings of one Pod that are to be written: all of them, or none. */
export type RequestedRings = WrittenRings & {
  readonly uid: string;
  readonly spec: RingsSize;
  /** An earlier agent captured the Pod, and this one does not yet: it keeps its capacity. */
  readonly wasCaptured: boolean;
  /** What it has waited for so long that it is reported. */
  readonly overdue: WaitsFor | undefined;
};

/** The rings that a Pod's captures write. */
export type RunningRings = {
  /** What was last asked for. */
  readonly size: RingsSize;
  /** That was admitted with room to freeze its rings, which may be lost since. */
  readonly isAdmittedToFreeze?: boolean;
  /** What was asked for before: there may be files of it that are not measured yet, and captures that have not ended. */
  readonly formerSizes: readonly RingsSize[];
};

export type CapacityRequests = {
  /** In the order in which they get capacity. */
  readonly requested: readonly RequestedRings[];
  /** Captures that run, of Pods that are not requested any more: each has its place until it has ended. */
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
  /** What is deleted, by UID. */
  readonly evicted: ReadonlyMap<string, EvictedPart>;
  readonly refused: ReadonlyMap<string, Refusal>;
  /** UIDs whose request fits once what is evicted, deleted or ending anyway is gone. Every other request is admitted. */
  readonly waiting: ReadonlyMap<string, WaitsFor>;
  /** What is left when every admitted ring has become as large as it may. */
  readonly spare: Bytes;
};

/** Whether running captures are asked for more than before: that is admitted like a new request. */
export function asksForMore({ spec, running }: Pick<RequestedRings, 'spec' | 'running'>): boolean {
  if (!running) return false;
  const { size, isAdmittedToFreeze } = running;
  const isMore = ringsBytes(withoutFreezing(spec)) > ringsBytes(withoutFreezing(size));
  // Where room to freeze is lost, that is no new request.
  return isMore || (spec.freezes === true && isAdmittedToFreeze !== true);
}

/**
 * How many captures of that size may be replaced by ones that start before they stop: for that moment each of them has
 * two rings. The others stop first, and what passes meanwhile is missed. `begun` are the captures that are being
 * replaced since the plan was made that left `spare`.
 */
export function spareRings(size: RingSize, spare: Bytes, begun: readonly RingSize[]): number {
  const begunBytes = begun.reduce((sum, each) => sum + ringBytes(each), 0);
  const leftBytes = Math.min(spare.budgetBytes, spare.diskBytes) - begunBytes;
  return Math.max(0, Math.floor(leftBytes / ringBytes(size)));
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
  let heldLater = requested.reduce((sum, ring) => sum + placesOf(ring.running), 0);
  for (const ring of requested) {
    const need = needOf(ring);
    const held = placesOf(ring.running);
    heldLater -= held;
    const places = ring.spec.rings;
    // What is captured, and asks for no more places, is never ended for what does.
    const taken = places > held ? captures + heldLater : captures;
    const hasPlace = places <= held || taken + ending + places <= limit;
    const refusal = refusalOf(ring, need, { captures: taken, most: space.mostBytes(), capacity });
    if (!refusal && hasPlace) space.evictUntilFree(need);
    const short = shortOf(need, space.freeBytes());
    const waitsFor = hasPlace ? short && 'space' : 'place';
    const refusalNow =
      refusal ??
      (waitsFor && waitsFor === ring.overdue ? stillWaits(short, { waitsFor, limit, places }) : undefined);
    if (refusalNow) {
      refused.set(ring.uid, refusalNow);
      space.take({ budgetBytes: 0, diskBytes: unmeasuredBytes(ring) });
      ending += held;
      continue;
    }
    if (waitsFor) waiting.set(ring.uid, waitsFor);
    // A full ring takes the rest of its newest file, and one more for a moment, even if they are not free.
    space.take({ budgetBytes: need.budgetBytes, diskBytes: growthBytes(ring) });
    captures += places;
    ending += Math.max(0, held - places);
  }
  return { evicted: space.evicted, refused, waiting, spare: space.freeBytes() };
}

/** How many captures run, or may not have ended yet after the request was changed. */
export function placesOf(running: RunningRings | undefined): number {
  return Math.max(0, ...sizesOf(running).map(({ rings }) => rings));
}

/**
 * The most bytes that the rings may have from their last measurement on, with what may have been written since. A file
 * that is larger than the request stays until newer ones fill its ring (storage/ring-pruning.ts).
 */
function mostBytes({ bytes, frozenBytes, largestBytes, running }: WrittenRings, spec?: RingsSize): number {
  const sizes = [...(spec ? [spec] : []), ...sizesOf(running)];
  const written = sizes.map((size) => {
    const aboveBytes = Math.max(0, size.files * mostFileBytes(size) + largestBytes - ringBytes(size));
    return frozenBytes + ringsBytes(size) + size.rings * aboveBytes;
  });
  return Math.max(bytes, ...written);
}

function sizesOf(running: RunningRings | undefined): RingsSize[] {
  return running ? [running.size, ...running.formerSizes] : [];
}

/** How many bytes rings that are written may have grown since they were measured, and may grow until their captures end. */
export function unmeasuredBytes(ring: WrittenRings): number {
  return mostBytes(ring) - ring.bytes;
}

/** How much they may have grown since they were measured, and may still grow. */
function growthBytes(ring: RequestedRings): number {
  return mostBytes(ring, ring.spec) - ring.bytes;
}

/** Whether they are captured, or were until the agent started again, and ask for no more than then. */
function keepsCapacity(ring: RequestedRings): boolean {
  return ring.running ? !asksForMore(ring) : ring.wasCaptured;
}

/**
 * Whether rings that are captured lack no more than the rest of their newest files: from then on they delete as much as
 * they write. They continue however little is free.
 */
function isFull(ring: RequestedRings): boolean {
  const sizes = ring.running ? sizesOf(ring.running) : [ring.spec];
  return keepsCapacity(ring) && sizes.every((size) => ring.bytes - ring.frozenBytes >= fullBytes(size));
}

/** What rings of that size have, without their newest files. */
function fullBytes(size: RingsSize): number {
  return size.rings * (size.files - 1) * nominalFileBytes(size);
}

/**
 * What must be free for rings to be admitted: of the budget, what they ask for beyond what they may have by now; of the
 * disk, what they may grow. Without a spare file, a capture close to the limit would start and stop repeatedly.
 */
function needOf(ring: RequestedRings): Bytes {
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
  {
    waitsFor,
    limit,
    places,
  }: { readonly waitsFor: WaitsFor; readonly limit: number; readonly places: number },
): Refusal {
  return waitsFor === 'place' ? tooManyCaptures(limit, places) : evictionsPending(short);
}

/** How many captures are admitted so far, and the most that can still be freed for the next one. */
type Available = { readonly captures: number; readonly most: Bytes; readonly capacity: Capacity };

function refusalOf(
  ring: RequestedRings,
  need: Bytes,
  { captures, most, capacity }: Available,
): Refusal | undefined {
  const { diskBudgetBytes, minFreeRatio, disk } = capacity;
  const limit = mostCaptures(capacity);
  if (captures + ring.spec.rings > limit) return tooManyCaptures(limit, ring.spec.rings);
  const short = shortOf(need, most);
  if (short === undefined) return undefined;
  const usableBytes = Math.min(diskBudgetBytes, (1 - minFreeRatio) * disk.capacityBytes);
  if (ringsBytes(ring.spec) > usableBytes) return neverFits(ringsBytes(ring.spec), usableBytes);
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
