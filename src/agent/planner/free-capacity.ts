/** Bytes of the disk budget, and bytes of the disk itself. */
export type Bytes = { readonly budgetBytes: number; readonly diskBytes: number };

/** What is kept of a Pod that has ended: its ring, or its frozen rings. */
export type EvictableRing = {
  readonly uid: string;
  readonly bytes: number;
  /** Both are there: the ring goes alone. */
  readonly leavesFrozen: boolean;
};

/** `ring`: its frozen rings stay. */
export type EvictedPart = 'ring' | 'all';

/** Counts down what is free while requests are admitted one after the other. */
export type FreeCapacity = {
  /** What is evicted so far, by UID. */
  readonly evicted: ReadonlyMap<string, EvictedPart>;
  /** Free now; negative if more is taken than there is. */
  readonly freeBytes: () => Bytes;
  /** What would be free if everything evictable were gone. */
  readonly mostBytes: () => Bytes;
  /** Evicts the oldest rings, no more than needed, until that much will be free or none is left. */
  readonly evictUntilFree: (need: Bytes) => void;
  readonly take: (bytes: Bytes) => void;
};

export type FreeCapacityOptions = {
  /** Besides everything that is on the disk. */
  readonly free: Bytes;
  /** Oldest first. */
  readonly evictable: readonly EvictableRing[];
  /** What becomes free whatever is evicted, and is not free yet. */
  readonly pending: Bytes;
};

/** What is evicted becomes free only when it is gone: until then it is pending. */
export function freeCapacity({ free, evictable, ...options }: FreeCapacityOptions): FreeCapacity {
  const left = [...evictable];
  const evicted = new Map<string, EvictedPart>();
  let { budgetBytes, diskBytes } = free;
  let { pending } = options;
  const later = (): Bytes => ({
    budgetBytes: budgetBytes + pending.budgetBytes,
    diskBytes: diskBytes + pending.diskBytes,
  });
  return {
    evicted,
    freeBytes: () => ({ budgetBytes, diskBytes }),
    mostBytes() {
      const evictableBytes = left.reduce((sum, { bytes }) => sum + bytes, 0);
      return {
        budgetBytes: later().budgetBytes + evictableBytes,
        diskBytes: later().diskBytes + evictableBytes,
      };
    },
    evictUntilFree(need) {
      while (later().budgetBytes < need.budgetBytes || later().diskBytes < need.diskBytes) {
        const oldest = left.shift();
        if (!oldest) return;
        evicted.set(oldest.uid, oldest.leavesFrozen ? 'ring' : 'all');
        pending = {
          budgetBytes: pending.budgetBytes + oldest.bytes,
          diskBytes: pending.diskBytes + oldest.bytes,
        };
      }
    },
    take(bytes) {
      budgetBytes -= bytes.budgetBytes;
      diskBytes -= bytes.diskBytes;
    },
  };
}
