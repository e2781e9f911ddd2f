import { setTimeout as sleep } from 'node:timers/promises';
import { type InterfaceReader, type InterfaceReading, passedPackets } from './interface-counters.ts';
import {
  hasUncounted,
  type PassedAndReceived,
  type UnseenBaseline,
  type UnseenReading,
  unknownUnseen,
  unseenAtLeast,
  unseenBaseline,
} from './unseen-packets.ts';

/** Counts the packets of one capture that its interface counts and tcpdump does not get, from begin() on. */
export type UnseenCounter = {
  readonly reading: () => UnseenReading;
  /** Begins, if it has not begun. */
  readonly begin: (sample?: UnseenSample) => Promise<void>;
  /** Counts until now. Takes `settledAfterMs` longer if the counters differ. Does nothing before begin(). */
  readonly measure: (sample?: UnseenSample) => Promise<void>;
};

/**
 * What the interface had counted, and what tcpdump had received a moment later: what passes in between then never counts
 * as unseen. The counter takes a sample itself if it gets none.
 */
export type UnseenSample = { readonly before: InterfaceReading; readonly received: number };

export type UnseenCounterOptions = {
  readonly reader: InterfaceReader;
  /** How many packets tcpdump has received by now; undefined if it does not answer. */
  readonly askReceived: () => Promise<number | undefined>;
  /** Whether the interface counts the same packets as a socket gets; undefined if that cannot be found out now. */
  readonly countsAsSockets: () => Promise<boolean | undefined>;
  readonly settledAfterMs?: number;
};

/** A packet that an interface has counted reaches the sockets within milliseconds, later on a busy machine. */
const defaultSettledAfterMs = 200;

/** Starts with nothing known. */
export function openUnseenCounter(options: UnseenCounterOptions): UnseenCounter {
  const { reader, askReceived, countsAsSockets, settledAfterMs = defaultSettledAfterMs } = options;
  let reading = unknownUnseen;
  let baseline: UnseenBaseline | 'givenUp' | undefined;

  async function takeSample(): Promise<UnseenSample | undefined> {
    const before = await reader.read();
    const received = await askReceived();
    return before && received !== undefined ? { before, received } : undefined;
  }

  function giveUp(): void {
    baseline = 'givenUp';
    reading = { ...reading, isKnown: false };
  }

  /** A difference is real if it is still there when everything that was on its way has arrived. */
  async function confirm(from: UnseenBaseline, { before, received }: UnseenSample): Promise<void> {
    await sleep(settledAfterMs);
    const after = await reader.read();
    if (after && hasUncounted(from, pair(after, received))) return giveUp();
    const receivedLater = await askReceived();
    const isComparable = await countsAsSockets();
    if (isComparable === false) return giveUp();
    if (receivedLater === undefined || isComparable === undefined || !reader.isSure(before)) return;
    const atLeast = unseenAtLeast(from, pair(before, receivedLater));
    reading = { atLeast: Math.max(reading.atLeast, atLeast), isKnown: true };
  }

  return {
    reading: () => reading,
    async begin(given) {
      if (baseline !== undefined) return;
      const sample = given ?? (await takeSample());
      const after = await reader.read();
      if (!sample || !after || !reader.isSure(sample.before)) return;
      baseline = unseenBaseline(pair(sample.before, sample.received), pair(after, sample.received));
    },
    async measure(given) {
      if (baseline === undefined || baseline === 'givenUp') return;
      const sample = given ?? (await takeSample());
      const after = await reader.read();
      if (!sample || !after || !reader.isSure(sample.before)) return;
      const isUncounted = hasUncounted(baseline, pair(after, sample.received));
      if (isUncounted || unseenAtLeast(baseline, pair(sample.before, sample.received)) > reading.atLeast)
        return await confirm(baseline, sample);
      if (reading.isKnown) return;
      const isComparable = await countsAsSockets();
      if (isComparable === false) giveUp();
      if (isComparable === true) reading = { ...reading, isKnown: true };
    },
  };
}

function pair(reading: InterfaceReading, received: number): PassedAndReceived {
  return { passed: passedPackets(reading), sentDropped: reading.counters.sentDropped, received };
}
