/** Each start of a sender numbers its datagrams from a million of its own (end-to-end/support/pod-manifests.ts). */
const numbersPerStart = 1_000_000;

/** What one start of tcpdump has left. */
export type ObservedCapture = {
  readonly generation: number;
  /** The datagrams in its files, in their order. */
  readonly numbers: readonly number[];
  /** Packets that its record reports as missed, before it. */
  readonly missed: number;
  /** Packets that its record reports as dropped or lost, while it ran. */
  readonly dropped: number;
  /** It died with its agent: how much it dropped since it was last counted, up to 15 s before, is unknown. */
  readonly wasCut: boolean;
  /** What was captured right before it has been pruned: what is older, in a frozen ring, is not adjacent. */
  readonly followsHole: boolean;
};

/** What was captured of one interface of a Pod: its frozen rings, and its ring. */
export type ObservedInterface = {
  /** Differs from that of an earlier folder of the same Pod, whose captures had the same generations. */
  readonly id: string;
  readonly name: string;
  /** Those with a record, oldest first. */
  readonly captures: readonly ObservedCapture[];
  /** The packets that deleted records of short captures reported as missed, dropped or lost. */
  readonly forgotten: number;
};

/** Datagrams that are in no file, between two that are. */
export type DatagramGap = {
  /** The captures of the datagrams before and after it: the same one, or two. */
  readonly from: number;
  readonly to: number;
  /** The number of the datagram after it. */
  readonly next: number;
  readonly missing: number;
};

/** A gap, and how many packets the records report that can explain it. */
export type ReportedGap = DatagramGap & { readonly reported: number };

/** Remembers every gap that was observed, because a ring deletes both ends of it in time. */
export type GapHistory = {
  readonly observe: (captured: ObservedInterface) => void;
  /** The gaps of that interface that its records do not explain by now. */
  readonly unexplained: (captured: ObservedInterface) => readonly ReportedGap[];
};

/** A history without gaps. */
export function gapHistory(): GapHistory {
  const known = new Map<string, ReadonlyMap<string, DatagramGap>>();
  return {
    observe({ id, captures }) {
      known.set(id, addGapsOf(known.get(id) ?? new Map(), captures));
    },
    unexplained(captured) {
      const gaps = [...(known.get(captured.id)?.values() ?? [])];
      const within = Map.groupBy(gaps.filter(isWithin), ({ to }) => to);
      const between = gaps.filter((gap) => !isWithin(gap)).toSorted((a, b) => a.to - b.to);
      return [
        ...[...within].map(([generation, all]) => reportedWithin(captured, generation, all)),
        ...between.map((gap, i) => reportedFrom(captured, gap, between.slice(i))),
      ].filter(({ missing, reported }) => missing > reported);
    },
  };
}

/** Pure. The gap between two captures can shrink: the first may write its last block after the second has started. */
function addGapsOf(
  before: ReadonlyMap<string, DatagramGap>,
  captures: readonly ObservedCapture[],
): ReadonlyMap<string, DatagramGap> {
  const gaps = new Map(before);
  let previous: { readonly generation: number; readonly last: number } | undefined;
  for (const { generation: to, numbers, followsHole } of captures) {
    const [first] = numbers;
    const last = numbers.at(-1);
    if (followsHole) previous = undefined;
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

/** A later start of the sender starts with its first number. What two captures both have is no gap. */
function gapOf(from: number, to: number, before: number, next: number): DatagramGap {
  const start = Math.floor(next / numbersPerStart) * numbersPerStart;
  const expected = before < start ? start : before + 1;
  return { from, to, next, missing: Math.max(0, next - expected) };
}

function isWithin({ from, to }: DatagramGap): boolean {
  return from === to;
}

/** All gaps within one capture, as one: its record reports what it dropped or lost, as far as that can be known. */
function reportedWithin(
  { captures }: ObservedInterface,
  generation: number,
  gaps: readonly DatagramGap[],
): ReportedGap {
  const capture = captures.find((each) => each.generation === generation);
  const next = Math.min(...gaps.map((gap) => gap.next));
  return {
    from: generation,
    to: generation,
    next,
    missing: missingIn(gaps),
    reported: capture?.wasCut === true ? Number.POSITIVE_INFINITY : (capture?.dropped ?? 0),
  };
}

/**
 * A gap between two captures and all later ones: the records report what the later captures missed, what was dropped or
 * lost at either end, and what deleted records reported. When a capture dies before it knows what it missed, a later
 * one reports it.
 */
function reportedFrom(
  { captures, forgotten }: ObservedInterface,
  gap: DatagramGap,
  gaps: readonly DatagramGap[],
): ReportedGap {
  const reported = captures
    .filter(({ generation }) => generation >= gap.from)
    .reduce(
      (all, { generation, missed, dropped }) => all + dropped + (generation > gap.from ? missed : 0),
      forgotten,
    );
  return { ...gap, missing: missingIn(gaps), reported };
}

function missingIn(gaps: readonly DatagramGap[]): number {
  return gaps.reduce((all, { missing }) => all + missing, 0);
}
