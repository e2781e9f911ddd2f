/** What is known of one start of tcpdump that is being read. Times of packets are in microseconds since 1970. */
export type FollowedTail = {
  readonly interfaceName: string;
  /** Only captures with the same place can have the same packet. */
  readonly place: string | undefined;
  /** The time of its next record; undefined: it has none now. */
  readonly nextUs: number | undefined;
  /** By when its records had been written, and when it was last found to have none, by the monotonic clock. */
  readonly batchMs: number;
  readonly emptyMs: number;
  /** It writes nothing any more, and everything has been read. */
  readonly hasEnded: boolean;
};

/** Each socket takes its own timestamp of a packet. Measured on two busy cores: at most 6.4 ms apart. */
export const toleranceUs = 100_000;
/** Nearly all were less than 0.1 ms apart. */
export const usualUs = 10_000;

/** tcpdump's library writes what it has within this time: who has nothing after it has nothing from before. */
const writtenWithinMs = 1_000;
/** How long the packets of one interface wait for earlier ones of another. */
const othersWithinMs = 400;

/**
 * Which of them has the next packet; undefined: the next one may still be written. They are in the order in which they
 * started. Of two with the same place, the older one is read ahead: what both have is sent from that one. Pure.
 */
export function nextTail(tails: readonly FollowedTail[]): number | undefined {
  let chosen: number | undefined;
  let chosenUs = Number.POSITIVE_INFINITY;
  for (const [at, tail] of tails.entries()) {
    const orderUs = orderTimeUs(tails, at);
    if (tail.nextUs === undefined || orderUs >= chosenUs) continue;
    chosen = at;
    chosenUs = orderUs;
  }
  const tail = chosen === undefined ? undefined : tails[chosen];
  if (chosen === undefined || !tail) return undefined;
  for (const [at, other] of tails.entries()) {
    if (at === chosen || other.nextUs !== undefined || other.hasEnded) continue;
    const waitMs = waitMsFor(tail, other, at < chosen);
    if (other.emptyMs < tail.batchMs + waitMs) return undefined;
  }
  return chosen;
}

/** Up to which time the chosen one can be read without looking at the others. Pure. */
export function untilUs(tails: readonly FollowedTail[], chosen: number): number {
  const others = tails.flatMap((_tail, at) => (at === chosen ? [] : [orderTimeUs(tails, at)]));
  return Math.min(...others) - (hasOlder(tails, chosen) ? toleranceUs : 0);
}

/** A newer one waits until what the older one has of the same time must have been read. */
function orderTimeUs(tails: readonly FollowedTail[], at: number): number {
  const nextUs = tails[at]?.nextUs ?? Number.POSITIVE_INFINITY;
  return hasOlder(tails, at) ? nextUs + toleranceUs : nextUs;
}

function hasOlder(tails: readonly FollowedTail[], at: number): boolean {
  const place = tails[at]?.place;
  return place !== undefined && tails.slice(0, at).some((tail) => tail.place === place);
}

function waitMsFor(tail: FollowedTail, other: FollowedTail, isOlder: boolean): number {
  if (other.place !== undefined && other.place === tail.place) return isOlder ? writtenWithinMs : 0;
  if (other.interfaceName === tail.interfaceName) return 0;
  return othersWithinMs;
}
