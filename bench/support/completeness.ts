/** What a capture has of the numbered datagrams that the interface carried. */
export type Completeness = {
  /** Carried before the first that was captured: the capture listened too late. */
  readonly missedBefore: number;
  /** Carried after the first that was captured, and not captured. */
  readonly missing: number;
  /** Captured twice, or captured and not carried: then the comparison itself is wrong. */
  readonly surplus: number;
  /** Of the last that were carried, the share that was captured: 0 to 1. */
  readonly lastShare: number;
  /** Nothing is missing from the first captured datagram to the very last that was carried. */
  readonly isComplete: boolean;
};

/** `last`: how many of the last carried datagrams `lastShare` looks at. */
export function completeness(
  carried: readonly number[],
  captured: readonly number[],
  last: number,
): Completeness {
  const known = new Set(captured);
  const was = new Set(carried);
  const begin = carried.findIndex((number) => known.has(number));
  const missedBefore = begin === -1 ? carried.length : begin;
  const missing = carried.slice(missedBefore).filter((number) => !known.has(number)).length;
  const surplus = captured.length - known.size + [...known].filter((number) => !was.has(number)).length;
  const end = carried.slice(-last);
  return {
    missedBefore,
    missing,
    surplus,
    lastShare: end.filter((number) => known.has(number)).length / end.length,
    isComplete: begin !== -1 && missing === 0 && surplus === 0,
  };
}
