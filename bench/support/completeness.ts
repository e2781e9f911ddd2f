/** How much a capture has of the numbered datagrams that passed the interface. */
export type Completeness = {
  /** Passed before the first captured datagram: the capture listened too late. */
  readonly missedBefore: number;
  /** Passed after the first captured datagram, and not captured. */
  readonly missing: number;
  /** Captured twice, or captured although it did not pass: then the comparison itself is wrong. */
  readonly surplus: number;
  /** The captured share of the last datagrams that passed: 0 to 1. */
  readonly lastShare: number;
  /** Nothing is missing or surplus from the first captured datagram to the very last that passed. */
  readonly isComplete: boolean;
};

/** `lastShare` is that of the `last` datagrams that passed. */
export function completeness(
  passed: readonly number[],
  captured: readonly number[],
  last: number,
): Completeness {
  const capturedNumbers = new Set(captured);
  const passedNumbers = new Set(passed);
  const first = passed.findIndex((number) => capturedNumbers.has(number));
  const missedBefore = first === -1 ? passed.length : first;
  const missing = passed.slice(missedBefore).filter((number) => !capturedNumbers.has(number)).length;
  const duplicates = captured.length - capturedNumbers.size;
  const surplus = duplicates + [...capturedNumbers].filter((number) => !passedNumbers.has(number)).length;
  const lastPassed = passed.slice(-last);
  return {
    missedBefore,
    missing,
    surplus,
    lastShare: lastPassed.filter((number) => capturedNumbers.has(number)).length / lastPassed.length,
    isComplete: first !== -1 && missing === 0 && surplus === 0,
  };
}
