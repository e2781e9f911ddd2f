/** Each start of a Pod's sender numbers its datagrams from a million of its own (sender in end-to-end/support/pod-manifests.ts). */
const numbersPerStart = 1_000_000;

/** What one start of tcpdump has left. */
export type SeenCapture = {
  readonly generation: number;
  /** The datagrams in its files, in their order. */
  readonly numbers: readonly number[];
  /** Packets that its record tells of: missed before it; dropped or lost while it ran. */
  readonly missed: number;
  readonly dropped: number;
  /** Its agent died with it: what it dropped since it was counted last, up to 15 s before, nobody knows. */
  readonly wasCut: boolean;
};

/** What was seen in the folder of a Pod. */
export type SeenFolder = {
  /** Another one than that of a folder that was there before, whose captures had the same generations. */
  readonly id: string;
  /** Those whose records stand, oldest first. */
  readonly captures: readonly SeenCapture[];
  /** What the records that are gone have told as missed, dropped or lost: of captures that ended soon. */
  readonly forgotten: number;
};

/** Datagrams that are in no file, between two that are. */
export type DatagramGap = {
  /** The captures of the datagrams before and after it: one and the same, or two. */
  readonly from: number;
  readonly to: number;
  /** The number of the datagram after it. */
  readonly next: number;
  readonly missing: number;
};

type ToldGap = DatagramGap & { readonly told: number };

/** Remembers every gap that was seen: a ring deletes both ends of it, in time. */
export type Gaps = {
  readonly see: (seen: SeenFolder) => void;
  /** Those in that folder that its captures do not tell of by now. */
  readonly unexplained: (now: SeenFolder) => readonly ToldGap[];
};

export function rememberGaps(): Gaps {
  const known = new Map<string, ReadonlyMap<string, DatagramGap>>();
  return {
    see({ id, captures }) {
      known.set(id, withGapsOf(known.get(id) ?? new Map(), captures));
    },
    unexplained(now) {
      const gaps = [...(known.get(now.id)?.values() ?? [])];
      const within = Map.groupBy(gaps.filter(isWithin), ({ to }) => to);
      const between = gaps.filter((gap) => !isWithin(gap)).toSorted((a, b) => a.to - b.to);
      return [
        ...[...within].map(([generation, all]) => withinOne(now, generation, all)),
        ...between.map((gap, i) => fromThereOn(now, gap, between.slice(i))),
      ].filter(({ missing, told }) => missing > told);
    },
  };
}

/** Pure. Of two captures the gap between can become less: the first may write its last block after the second began. */
function withGapsOf(
  before: ReadonlyMap<string, DatagramGap>,
  captures: readonly SeenCapture[],
): ReadonlyMap<string, DatagramGap> {
  const gaps = new Map(before);
  let previous: { readonly generation: number; readonly last: number } | undefined;
  for (const { generation: to, numbers } of captures) {
    const [first] = numbers;
    const last = numbers.at(-1);
    if (first === undefined || last === undefined) continue;
    if (previous) gaps.set(`before ${to}`, gapOf(previous.generation, to, previous.last, first));
    for (const [i, next] of numbers.entries()) {
      const gap = gapOf(to, to, numbers[i - 1] ?? next, next);
      if (gap.missing > 0) gaps.set(`${to}: ${next}`, gap);
    }
    previous = { generation: to, last };
  }
  return gaps;
}

/** A later start of the sender begins with its first number; what two captures both have is no gap. */
function gapOf(from: number, to: number, before: number, next: number): DatagramGap {
  const start = Math.floor(next / numbersPerStart) * numbersPerStart;
  const expected = before < start ? start : before + 1;
  return { from, to, next, missing: Math.max(0, next - expected) };
}

function isWithin({ from, to }: DatagramGap): boolean {
  return from === to;
}

/** All gaps within one capture, as one: what it dropped or lost, as far as that can be known. */
function withinOne({ captures }: SeenFolder, generation: number, gaps: readonly DatagramGap[]): ToldGap {
  const capture = captures.find((each) => each.generation === generation);
  const next = Math.min(...gaps.map((gap) => gap.next));
  return {
    from: generation,
    to: generation,
    next,
    missing: sum(gaps),
    told: capture?.wasCut === true ? Number.POSITIVE_INFINITY : (capture?.dropped ?? 0),
  };
}

/**
 * A gap between two captures and all later ones: what the later captures missed, what was dropped or lost at either
 * end, and what a record that is gone told. When a capture dies before it knows what it missed, a later one tells it.
 */
function fromThereOn(
  { captures, forgotten }: SeenFolder,
  gap: DatagramGap,
  gaps: readonly DatagramGap[],
): ToldGap {
  const told = captures
    .filter(({ generation }) => generation >= gap.from)
    .reduce(
      (all, { generation, missed, dropped }) => all + dropped + (generation > gap.from ? missed : 0),
      forgotten,
    );
  return { ...gap, missing: sum(gaps), told };
}

function sum(gaps: readonly DatagramGap[]): number {
  return gaps.reduce((all, { missing }) => all + missing, 0);
}
