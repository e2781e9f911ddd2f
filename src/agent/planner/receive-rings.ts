/** The receive ring of one capture, of a running one or of one that is to start. */
export type ReceiveRing = {
  /** What captures which interface: the same for a tcpdump and for the one that replaces it. */
  readonly key: string;
  /** The size of its newest tcpdump's ring, which may still be starting; undefined if none runs. */
  readonly kib: number | undefined;
  /** The rings of the tcpdumps that its newest one replaces, as long as they run. */
  readonly replacedKib: number;
  /** Its newest tcpdump is to be replaced anyway, for example because the filter has changed. */
  readonly isReplaced: boolean;
  /** Since when its newest tcpdump has listened and received nothing, by the clock of `nowMs`; undefined until then. */
  readonly silentSinceMs: number | undefined;
  /** Its newest tcpdump has reported that its ring was full, or that packets were dropped. */
  readonly isFull: boolean;
};

export type ReceiveRingLimits = {
  /** What all rings of the Node may take, in bytes. */
  readonly budgetBytes: number;
  /** The most captures that may run, each with one ring. */
  readonly maxRings: number;
  /** Every ring has this size; undefined lets rings grow and shrink. */
  readonly fixedKib: number | undefined;
};

export type ReceiveRingSizes = {
  /** By key, in KiB: where the size differs from that of the running tcpdump, another one replaces it. */
  readonly kib: ReadonlyMap<string, number>;
  /** When they change next by time alone, by the clock of `nowMs`. */
  readonly nextMs: number | undefined;
};

/** In KiB. libpcap's blocks have 256 KiB, so the smallest ring has 4 (docs/decisions/0034-receive-rings-grow-and-shrink.md). */
export const ringKib = { smallest: 1_024, start: 4_096, large: 16_384, largest: 32_768 } as const;
/** From this sum on, new rings are small, and above it silent ones become small. */
const plentyKib = 100 * 1_024;
export const silentMs = 5 * 60_000;

/**
 * What one capture reserves of the budget: a ring, and one for the tcpdump that replaces it. A capture that is admitted
 * by count can always start, and always be changed while it runs.
 */
export function reservedRingBytes(fixedKib: number | undefined): number {
  return 2 * (fixedKib ?? ringKib.smallest) * 1_024;
}

/**
 * Returns the size that each ring should have. Pure, and without memory: what has been decided before is the size that
 * a ring has. A ring changes when its capture starts, drops packets or is silent, so never back and forth. All changes
 * may be made at once, in any order: the old and the new rings together stay within the budget, if the present ones do.
 *
 * `rings` are in the order in which they get memory.
 */
export function receiveRingSizes(
  rings: readonly ReceiveRing[],
  limits: ReceiveRingLimits,
  nowMs: number,
): ReceiveRingSizes {
  const { fixedKib } = limits;
  if (fixedKib !== undefined) {
    return { kib: new Map(rings.map(({ key }) => [key, fixedKib])), nextMs: undefined };
  }
  const running = rings.flatMap((ring) => (ring.kib === undefined ? [] : [{ ...ring, kib: ring.kib }]));
  const settled = running.filter(({ replacedKib }) => replacedKib === 0);
  const sizes = openSizes(rings, limits);
  // A first step saves more packets than a second one.
  for (const nextKib of [ringKib.large, ringKib.largest]) {
    for (const ring of settled) {
      const isStep = nextKibOf(ring.kib) === nextKib;
      if (isStep && isToGrow(ring, nowMs)) sizes.set(ring, nextKib);
    }
  }
  for (const ring of settled) {
    if (ring.isReplaced && sizes.kib.get(ring.key) === ring.kib && !sizes.set(ring, ring.kib))
      sizes.set(ring, ringKib.smallest);
  }
  for (const ring of rings.filter(({ kib }) => kib === undefined)) {
    if (sizes.sumKib() >= plentyKib || !sizes.set(ring, ringKib.start)) sizes.set(ring, ringKib.smallest);
  }
  const shrinkable = settled
    .filter((ring) => ring.kib > ringKib.smallest && sizes.kib.get(ring.key) === ring.kib)
    .flatMap((ring) =>
      ring.silentSinceMs === undefined ? [] : [{ ring, atMs: ring.silentSinceMs + silentMs }],
    )
    .toSorted((a, b) => a.atMs - b.atMs || a.ring.key.localeCompare(b.ring.key));
  for (const { ring, atMs } of shrinkable) {
    if (sizes.sumKib() <= plentyKib) break;
    if (atMs > nowMs) return { kib: sizes.kib, nextMs: atMs };
    sizes.set(ring, ringKib.smallest);
  }
  return { kib: sizes.kib, nextMs: undefined };
}

/** A capture that was silent since its ring was full would only become small again. */
function isToGrow(
  { kib, isFull, silentSinceMs }: ReceiveRing & { readonly kib: number },
  nowMs: number,
): boolean {
  return isFull && kib < ringKib.largest && silentSinceMs !== undefined && silentSinceMs + silentMs > nowMs;
}

/** The sizes so far, and what they leave of the budget. A ring that is not set keeps its size, or has none yet. */
function openSizes(rings: readonly ReceiveRing[], { budgetBytes, maxRings }: ReceiveRingLimits) {
  const kib = new Map(
    rings.flatMap((ring) => (ring.kib === undefined ? [] : [[ring.key, ring.kib] as const])),
  );
  const committed = new Map(rings.map((ring) => [ring.key, committedKib(ring)]));
  const otherRings = Math.max(0, maxRings - rings.length);
  let freeKib = Math.floor(budgetBytes / 1_024) - 2 * ringKib.smallest * otherRings - sumOf(committed);
  return {
    kib,
    sumKib: () => sumOf(kib),
    /** Sets it if a tcpdump with a ring of that size may start while the present one runs; returns whether it may. */
    set(ring: ReceiveRing, toKib: number): boolean {
      const needKib = toKib + Math.max(ring.kib ?? 0, ringKib.smallest);
      const moreKib = needKib - (committed.get(ring.key) ?? 0);
      // What is reserved may always be used, also where the budget was lowered.
      if (moreKib > Math.max(0, freeKib)) return false;
      freeKib -= moreKib;
      committed.set(ring.key, needKib);
      kib.set(ring.key, toKib);
      return true;
    },
  };
}

/** What a ring that was full gets next. Hardly any needs more than the first step; the second is for TCP at full speed. */
function nextKibOf(kib: number): number {
  return kib < ringKib.large ? ringKib.large : ringKib.largest;
}

/** What a ring has of the budget: itself, and what it replaces, or else the smallest one that may replace it. */
function committedKib({ kib = ringKib.smallest, replacedKib }: ReceiveRing): number {
  return kib + Math.max(replacedKib, ringKib.smallest);
}

function sumOf(kib: ReadonlyMap<string, number>): number {
  return [...kib.values()].reduce((sum, each) => sum + each, 0);
}
