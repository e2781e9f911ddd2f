import { type PacketKey, packetKey } from '../../../pcap/join/packet-key.ts';
import { type PacketWindow, packetWindow } from '../../../pcap/join/pair-packets.ts';
import type { RecordSpan } from '../../../pcap/join/span-packets.ts';
import { type FollowedTail, nextTail, toleranceUs, untilUs, usualUs } from './follow-order.ts';
import type { FollowedRing } from './followed-ring.ts';
import type { GenerationTail } from './generation-tail.ts';
import type { MissingPackets } from './missing-packets.ts';
import type { RecordBuffer } from './record-buffer.ts';

export type FollowRecordsOptions = {
  readonly ring: FollowedRing;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
  /** Called before the first records of a tail: its source is the number of tails before it. */
  readonly onStart: (tail: GenerationTail) => void;
  /** Called before the records that follow what is missing. */
  readonly onMissing: (source: number, missing: MissingPackets) => void;
};

/** A start of tcpdump that is being read, with its number among all of them. */
type Reading = {
  readonly source: number;
  readonly tail: GenerationTail;
  /** What older ones of the same place have sent; undefined while there are none. */
  pairing: Pairing | undefined;
  readonly sinceUs: number;
};

/** Packets of older ones, by keys up to the shortest snaplen. */
type Pairing = { readonly window: PacketWindow; readonly keyOf: PacketKey };

/** Who has written nothing for this long, while another one took over, has ended: its agent was killed. */
const abandonedAfterMs = 30_000;
/** Longer than it takes until a packet is written. */
const recentlyUs = 3_000_000;

/**
 * The records of a recording as they come, each packet once: those of one interface in the order in which they were
 * written, and of several interfaces by time. Ends with the Pod, or when its folder is deleted. Throws the signal's reason.
 */
export async function* followRecords(options: FollowRecordsOptions): AsyncGenerator<RecordSpan, void> {
  const { ring, nowMs, signal } = options;
  const follower = new Follower(options);
  for (;;) {
    signal.throwIfAborted();
    await follower.begin();
    for (const { tail } of follower.active) {
      await tail.refill(nowMs);
      await tail.release();
    }
    await follower.finish();
    const next = follower.next();
    if (next !== undefined) {
      const span = follower.take(next);
      if (span) yield span;
      continue;
    }
    if (follower.isOver()) return;
    await ring.changed(signal);
  }
}

class Follower {
  readonly #options: FollowRecordsOptions;
  #begun = 0;
  /** When the next one begins; Infinity if that is not known. */
  #nextUs = Number.POSITIVE_INFINITY;
  active: Reading[] = [];

  constructor(options: FollowRecordsOptions) {
    this.#options = options;
  }

  /** Begins with those whose turn has come. */
  async begin(): Promise<void> {
    const { ring, onStart } = this.#options;
    for (;;) {
      this.#nextUs = Number.POSITIVE_INFINITY;
      const tail = ring.tails[this.#begun];
      if (!tail) return;
      const firstUs = await tail.firstUs(this.#options.nowMs);
      this.#nextUs = firstUs ?? Number.POSITIVE_INFINITY;
      if (!this.#isDue(tail, firstUs)) return;
      onStart(tail);
      const sinceUs = firstUs ?? this.#recentUs();
      const reading: Reading = { source: this.#begun, tail, pairing: undefined, sinceUs };
      await this.#addPassed(reading);
      this.#begun += 1;
      this.active.push(reading);
      // Whether it has anything left decides when the one after it begins.
      await tail.refill(this.#options.nowMs);
    }
  }

  /** When nothing is left before it, what is there may already have what it has, or nothing more has been written. */
  #isDue({ interfaceName }: GenerationTail, firstUs: number | undefined): boolean {
    const before = this.active.filter(({ tail }) => tail.interfaceName === interfaceName);
    if (before.length === 0) return true;
    if (firstUs === undefined) return before.every(({ source, tail }) => this.#hasEnded(source, tail));
    return before.every(
      ({ tail }) => !tail.records.hasRecords || tail.records.timeUs >= firstUs - toleranceUs,
    );
  }

  /** Whoever has no packet yet may have what the others have sent in the last seconds, still to be written. */
  #recentUs(): number {
    return Math.max(...this.active.map(({ tail }) => tail.markedUs)) - recentlyUs;
  }

  /** What older ones have sent of the time from which on this one has packets. */
  async #addPassed(reading: Reading): Promise<void> {
    for (const older of this.#older(reading)) {
      const { window, keyOf } = this.#pairingOf(reading);
      await older.tail.passedSince(reading.sinceUs - usualUs, (record) => {
        window.add(entryOf(older, record, keyOf));
      });
    }
  }

  #older({ source, tail: { place } }: Reading): Reading[] {
    return this.active.filter(
      (other) => other.source < source && place !== undefined && other.tail.place === place,
    );
  }

  #pairingOf(reading: Reading): Pairing {
    const snaplens = [reading, ...this.#older(reading)].map(({ tail }) => tail.header?.snaplen ?? Infinity);
    reading.pairing ??= {
      window: packetWindow({ toleranceUs, usualUs }),
      keyOf: packetKey(Math.min(...snaplens)),
    };
    return reading.pairing;
  }

  /** Whose records come next; undefined: they may still be written. */
  next(): number | undefined {
    return nextTail(this.#views());
  }

  #views(): FollowedTail[] {
    return this.active.map(({ source, tail }) => {
      const { interfaceName, place, batchMs, emptyMs, records } = tail;
      const nextUs = records.hasRecords ? records.timeUs : undefined;
      return { interfaceName, place, batchMs, emptyMs, nextUs, hasEnded: this.#hasEnded(source, tail) };
    });
  }

  /** The next records of that one; undefined if another one has sent the record. */
  take(at: number): RecordSpan | undefined {
    const reading = this.active[at];
    if (!reading) return undefined;
    const { tail, source } = reading;
    this.#reportMissing(reading);
    const newer = this.active.filter((other) => this.#older(other).includes(reading));
    this.#expire(reading);
    if (!reading.pairing && newer.length === 0)
      return { source, bytes: tail.records.take(this.#untilUs(at)) };
    const { records } = tail;
    const { timeUs } = records;
    if (reading.pairing?.window.take(reading.pairing.keyOf(records), timeUs)) {
      records.passOne();
      return undefined;
    }
    for (const other of newer) {
      if (timeUs < other.sinceUs - usualUs) continue;
      const { window, keyOf } = this.#pairingOf(other);
      window.add(entryOf(reading, records, keyOf));
    }
    return { source, bytes: records.take(Number.NEGATIVE_INFINITY) };
  }

  /** What no record from now on can be a copy of is forgotten, and everything once the older ones have ended. */
  #expire(reading: Reading): void {
    const { pairing, tail } = reading;
    pairing?.window.expire(tail.records.timeUs);
    if (pairing?.window.isEmpty() && this.#older(reading).length === 0) reading.pairing = undefined;
  }

  #reportMissing({ source, tail }: Reading): void {
    const missing = tail.takeMissing();
    if (missing) this.#options.onMissing(source, missing);
  }

  /** No further than to where the next one begins: what both have is looked at packet by packet. */
  #untilUs(at: number): number {
    return Math.min(untilUs(this.#views(), at), this.#nextUs - toleranceUs);
  }

  /** Leaves out those that write nothing any more, and frees what they take. */
  async finish(): Promise<void> {
    const ended = this.active.filter((reading) => this.#isDone(reading));
    if (ended.length === 0) return;
    this.active = this.active.filter((reading) => !ended.includes(reading));
    for (const reading of ended) {
      this.#reportMissing(reading);
      await reading.tail[Symbol.asyncDispose]();
    }
  }

  /** The next one is compared with those that may have what it has. */
  #isDone({ source, tail }: Reading): boolean {
    if (!this.#hasEnded(source, tail)) return false;
    if (this.#begun === this.#options.ring.tails.length) return true;
    return this.#nextUs !== Number.POSITIVE_INFINITY && tail.latestUs < this.#nextUs - toleranceUs;
  }

  #hasEnded(source: number, tail: GenerationTail): boolean {
    const { ring, nowMs } = this.#options;
    if (tail.records.hasRecords) return false;
    const isFollowed = ring.tails
      .slice(source + 1)
      .some(({ interfaceName }) => interfaceName === tail.interfaceName);
    if (!isFollowed) return false;
    const { endSeenMs, emptyMs, batchMs } = tail;
    return endSeenMs === undefined ? nowMs() - batchMs > abandonedAfterMs : emptyMs > endSeenMs;
  }

  /** Whether nothing comes any more. */
  isOver(): boolean {
    const { ring } = this.#options;
    const { kind, atMs } = ring.state();
    if (kind === 'live' || this.#begun < ring.tails.length) return false;
    const isOver = this.active.every(
      ({ tail }) => !tail.records.hasRecords && tail.emptyMs > atMs + (kind === 'deleted' ? 0 : lastWriteMs),
    );
    if (isOver) for (const reading of this.active) this.#reportMissing(reading);
    return isOver;
  }
}

/** The Pod's end is written down when its captures have ended, or a little earlier. */
const lastWriteMs = 1_000;

function entryOf(reading: Reading, record: RecordBuffer, keyOf: PacketKey) {
  const { timeUs } = record;
  return { source: reading.source, file: 0, offset: 0, key: keyOf(record), timeUs, sinceUs: reading.sinceUs };
}
