import type { FreeSpace } from '../storage/free-space.ts';
import type { CaptureSpec, Refusal } from './annotations.ts';

/** What the captures of a Node may use, and what there is. */
export type Capacity = {
  /** The most captures at a time. */
  readonly maxCaptures: number;
  /** For capture files. */
  readonly diskBudgetBytes: number;
  /** For receive rings, in the kernel's memory, and what one of them takes. */
  readonly bufferBudgetBytes: number;
  readonly bufferBytes: number;
  /** This share of the disk is never used, counted as the kubelet does: available / capacity. */
  readonly minFreeRatio: number;
  readonly disk: FreeSpace;
};

/** A ring that is wanted. */
export type RequestedRing = {
  readonly uid: string;
  readonly spec: Pick<CaptureSpec, 'files' | 'fileMegabytes'>;
  /** How many files it has now, and what they take. */
  readonly files: number;
  readonly bytes: number;
  /** Whether it is being written already. */
  readonly runs: boolean;
};

export type CapacityRequests = {
  /** In the order in which they get room. */
  readonly live: readonly RequestedRing[];
  /** Rings whose Pods have ended, oldest first: they go before a live one is refused. */
  readonly ended: readonly { readonly uid: string; readonly bytes: number }[];
  /** What stays whatever comes. */
  readonly kept: number;
  readonly capacity: Capacity;
};

export type Admission = {
  readonly evicted: ReadonlySet<string>;
  readonly refused: ReadonlyMap<string, Refusal>;
};

/**
 * The most bytes that a ring takes: one file more than it keeps stands for a moment, and the last packet passes the
 * end of a file (1.052 MB was the largest of 1 MB measured, with segmentation offload).
 */
export function ringBytes({ files, fileMegabytes }: RequestedRing['spec']): number {
  return (files + 1) * (fileMegabytes * 1_000_000 + 70_000);
}

/** Who fits. Pure. Evicts nothing for a capture that would not fit even so. */
export function admit({ live, ended, kept, capacity }: CapacityRequests): Admission {
  const evictable = [...ended];
  const evicted = new Set<string>();
  const refused = new Map<string, Refusal>();
  let captures = 0;
  let budgetBytes = capacity.diskBudgetBytes - kept - sumOf(evictable);
  let freeBytes = capacity.disk.availableBytes - capacity.minFreeRatio * capacity.disk.capacityBytes;

  const evictUntil = (isEnough: () => boolean) => {
    while (!isEnough()) {
      const oldest = evictable.shift();
      if (!oldest) return;
      evicted.add(oldest.uid);
      budgetBytes += oldest.bytes;
      freeBytes += oldest.bytes;
    }
  };

  // Somebody else fills the disk, or the budget is smaller than it was.
  evictUntil(() => budgetBytes >= 0 && freeBytes >= 0);
  for (const ring of live) {
    const bytes = ringBytes(ring.spec);
    // A full ring takes no more than it gives back, however large its last packets are.
    const isFull = ring.runs && ring.files >= ring.spec.files;
    const growth = isFull ? 0 : Math.max(0, bytes - ring.bytes);
    const spare = ring.runs ? 0 : ring.spec.fileMegabytes * 1_000_000;
    const evictableBytes = sumOf(evictable);
    const refusal =
      tooMany(captures, capacity) ??
      overBudget(bytes, budgetBytes + evictableBytes, capacity) ??
      // A file to spare for what does not run yet: at the very edge it would start and stop in turns.
      (growth + spare > Math.max(0, freeBytes + evictableBytes)
        ? diskAlmostFull(growth, capacity)
        : undefined);
    if (refusal) {
      refused.set(ring.uid, refusal);
      budgetBytes -= ring.bytes;
      continue;
    }
    evictUntil(() => budgetBytes >= bytes && freeBytes >= growth);
    captures += 1;
    budgetBytes -= bytes;
    freeBytes -= growth;
  }
  return { evicted, refused };
}

// The messages name nothing that changes by itself: they would be news again and again.

function tooMany(
  captures: number,
  { maxCaptures, bufferBudgetBytes, bufferBytes }: Capacity,
): Refusal | undefined {
  const most = Math.min(maxCaptures, Math.floor(bufferBudgetBytes / bufferBytes));
  if (captures < most) return undefined;
  const message = `${most} captures run on this Node, and more are not allowed: it starts when another one ends`;
  return { reason: 'OverBudget', message };
}

function overBudget(bytes: number, leftBytes: number, { diskBudgetBytes }: Capacity): Refusal | undefined {
  if (bytes <= leftBytes) return undefined;
  const message = `the capture may take ${megabytes(bytes)}, and all captures of this Node ${megabytes(diskBudgetBytes)}: ask for fewer files, or it starts when others end`;
  return { reason: 'OverBudget', message };
}

function diskAlmostFull(growth: number, { minFreeRatio }: Capacity): Refusal {
  const message = `the capture may take ${megabytes(growth)} more, and ${Math.round(100 * minFreeRatio)} % of the Node's disk stay free: it starts when there is room`;
  return { reason: 'DiskAlmostFull', message };
}

function sumOf(rings: readonly { readonly bytes: number }[]): number {
  return rings.reduce((sum, { bytes }) => sum + bytes, 0);
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000)} MB`;
}
