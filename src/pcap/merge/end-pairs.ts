import { Fifo } from './fifo.ts';
import { type KeptSegment, keptSegments } from './kept-segments.ts';
import type { PacketIdentity } from './packet-identity.ts';

/** A packet of the side that is left out. */
export type WaitingPacket = {
  /** In seconds. */
  readonly time: number;
  readonly identity: PacketIdentity;
  /** The number of the place where it was captured: each place has its own copies. */
  readonly place: number;
};

type Kept = Pick<PacketIdentity, 'start' | 'rest'> & {
  readonly time: number;
  /** Places that have had its twin. */
  readonly places: Set<number>;
  readonly segment: KeptSegment | undefined;
};

/** More of them are forgotten before their time: their copies are kept. */
const mostKept = 100_000;
/** Of the segments: of more, only the newest are there to be found in other segments. */
const mostSegmentBytes = 32 * 1024 * 1024;
/** Packets that start alike: those behind that are not looked at. */
const mostAlike = 64;

/**
 * Finds what both ends of a conversation have captured. A packet of the side that is left out has a twin: the same packet,
 * of the side that is kept, which is the twin of one packet at each place. Without a twin, TCP is also left out if it was
 * cut into other segments.
 */
export class EndPairs<T extends WaitingPacket> {
  readonly #windowSeconds: number;
  readonly #waiting = new Map<string, Set<T>>();
  readonly #kept = new Map<string, Set<Kept>>();
  readonly #inOrder = new Fifo<Kept>();
  readonly #segments = keptSegments();
  readonly #segmentsInOrder = new Fifo<KeptSegment>();
  #segmentBytes = 0;

  /** `windowSeconds`: how far apart in time both ends can capture a packet. */
  constructor(windowSeconds: number) {
    this.#windowSeconds = windowSeconds;
  }

  /** A packet of the side that is kept: returns its twins, which have waited for it. Later packets have no earlier time. */
  addKept({ start, rest, part }: PacketIdentity, time: number): readonly T[] {
    const places = new Set<number>();
    const twins: T[] = [];
    for (const packet of firstOf(this.#waiting.get(start))) {
      if (packet.time < time - this.#windowSeconds || !isSame(packet.identity, { rest })) continue;
      if (places.has(packet.place)) continue;
      places.add(packet.place);
      twins.push(packet);
    }
    for (const packet of twins) removeAt(this.#waiting, start, packet);
    const segment = part && this.#segments.add(part, time, places);
    const one: Kept = { start, rest, time, places, segment };
    addAt(this.#kept, start, one);
    this.#inOrder.push(one);
    if (this.#inOrder.size > mostKept) this.#forgetOldest();
    if (segment) this.#rememberBytes(segment);
    return twins;
  }

  /** Whether the side that is kept has had the twin of this packet. If not, it waits. */
  addOther(packet: T): boolean {
    const { time, identity, place } = packet;
    const alike = this.#kept.get(identity.start);
    for (const one of alike ?? []) {
      if (one.time >= time - this.#windowSeconds) break;
      // It is no later packet's twin either.
      removeAt(this.#kept, identity.start, one);
    }
    const twin = findIn(
      firstOf(alike),
      (one) => isSame(one, identity) && !one.places.has(place) && one.segment?.used.has(place) !== true,
    );
    twin?.places.add(place);
    if (!twin) addAt(this.#waiting, identity.start, packet);
    return twin !== undefined;
  }

  /** The packet waits no longer: whether the side that is kept has all of it in other segments. */
  release(packet: T): boolean {
    const { time, identity, place } = packet;
    removeAt(this.#waiting, identity.start, packet);
    if (!identity.part) return false;
    const [since, until] = [time - this.#windowSeconds, time + this.#windowSeconds];
    return this.#segments.leaveOut({ part: identity.part, place, since, until });
  }

  /** Nothing of before that time waits, or is still to come. */
  forgetBefore(time: number): void {
    const before = time - this.#windowSeconds;
    for (let one = this.#inOrder.first; one && one.time < before; one = this.#inOrder.first)
      this.#forgetOldest();
  }

  #rememberBytes(segment: KeptSegment): void {
    this.#segmentsInOrder.push(segment);
    this.#segmentBytes += bytesOf(segment);
    for (let one = this.#segmentsInOrder.first; one; one = this.#segmentsInOrder.first) {
      if (one.captured !== undefined && this.#segmentBytes <= mostSegmentBytes) break;
      this.#forgetBytes(one);
      this.#segmentsInOrder.shift();
    }
  }

  #forgetBytes(segment: KeptSegment): void {
    this.#segmentBytes -= bytesOf(segment);
    this.#segments.forget(segment);
  }

  #forgetOldest(): void {
    const oldest = this.#inOrder.shift();
    if (!oldest) return;
    removeAt(this.#kept, oldest.start, oldest);
    if (oldest.segment) this.#forgetBytes(oldest.segment);
  }
}

function bytesOf({ captured }: KeptSegment): number {
  return captured?.length ?? 0;
}

function* firstOf<T>(alike: Iterable<T> | undefined): Generator<T> {
  let count = 0;
  for (const one of alike ?? []) {
    if (count === mostAlike) return;
    count += 1;
    yield one;
  }
}

/** Node.js 20, on which kubectl podcap runs, has no find() of iterators. */
function findIn<T>(items: Iterable<T>, isWanted: (item: T) => boolean): T | undefined {
  for (const item of items) if (isWanted(item)) return item;
  return undefined;
}

/** What a capture has cut is compared as far as it goes. */
function isSame(a: Pick<PacketIdentity, 'rest'>, b: Pick<PacketIdentity, 'rest'>): boolean {
  return a.rest === undefined || b.rest === undefined || a.rest === b.rest;
}

function addAt<T>(byKey: Map<string, Set<T>>, key: string, one: T): void {
  const alike = byKey.get(key);
  if (alike) alike.add(one);
  else byKey.set(key, new Set([one]));
}

function removeAt<T>(byKey: Map<string, Set<T>>, key: string, one: T): void {
  const alike = byKey.get(key);
  alike?.delete(one);
  if (alike?.size === 0) byKey.delete(key);
}
