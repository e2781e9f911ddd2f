import { Fifo } from './fifo.ts';
import { type KeptSegment, keptSegments } from './kept-segments.ts';
import type { PacketIdentity } from './packet-identity.ts';

/**
 * Finds what both ends of a conversation have captured. A packet of the side that is left out has a twin: the same packet,
 * of the side that is kept, which is the twin of one packet at each place. Without a twin, TCP is also left out if it was
 * cut into other segments.
 */
export type EndPairs<T extends WaitingPacket> = {
  /** A packet of the side that is kept: returns those of the other side that have waited for it. */
  readonly addKept: (identity: PacketIdentity, time: number) => readonly T[];
  /** Whether the side that is kept has had the twin of this packet. If not, it waits. */
  readonly addOther: (packet: T) => boolean;
  /** The packet waits no longer: whether the side that is kept has all of it in other segments. */
  readonly release: (packet: T) => boolean;
  /** Forgets packets of the side that is kept that can be no other's twins any more. */
  readonly forgetBefore: (now: number) => void;
};

/** A packet of the side that is left out. */
export type WaitingPacket = {
  /** In seconds. */
  readonly time: number;
  readonly identity: PacketIdentity;
  /** The number of the place where it was captured: each place has its own copies. */
  readonly place: number;
};

type Kept = {
  readonly identity: PacketIdentity;
  readonly time: number;
  /** Places that have had its twin. */
  readonly places: Set<number>;
  readonly segment: KeptSegment | undefined;
};

/** More of them are forgotten before their time, and so are those with more bytes: then their copies are kept. */
const mostKept = 100_000;
const mostKeptBytes = 32 * 1024 * 1024;
/** Packets that start alike: those behind that are not looked at. */
const mostAlike = 64;

/** `windowSeconds`: how far apart in time both ends can capture a packet. */
export function endPairs<T extends WaitingPacket>(windowSeconds: number): EndPairs<T> {
  const waiting = new Map<string, Set<T>>();
  const kept = new Map<string, Set<Kept>>();
  const inOrder = new Fifo<Kept>();
  const segments = keptSegments();
  let keptBytes = 0;

  function remember(one: Kept): void {
    addTo(kept, one);
    inOrder.push(one);
    keptBytes += bytesOf(one);
    while (inOrder.size > mostKept || keptBytes > mostKeptBytes) forgetOldest();
  }

  function forgetOldest(): void {
    const oldest = inOrder.shift();
    if (!oldest) return;
    keptBytes -= bytesOf(oldest);
    removeFrom(kept, oldest);
    if (oldest.segment) segments.forget(oldest.segment);
  }

  return {
    addKept(identity, time) {
      const places = new Set<number>();
      const twins: T[] = [];
      for (const packet of firstOf(waiting.get(identity.start))) {
        if (packet.time < time - windowSeconds || !isSame(packet.identity, identity)) continue;
        if (places.has(packet.place)) continue;
        places.add(packet.place);
        twins.push(packet);
      }
      for (const packet of twins) removeFrom(waiting, packet);
      const segment = identity.part && segments.add(identity.part, time, places);
      remember({ identity, time, places, segment });
      return twins;
    },
    addOther(packet) {
      const { time, identity, place } = packet;
      const twin = firstOf(kept.get(identity.start)).find(
        (one) =>
          one.time >= time - windowSeconds &&
          isSame(one.identity, identity) &&
          !one.places.has(place) &&
          one.segment?.used.has(place) !== true,
      );
      twin?.places.add(place);
      if (!twin) addTo(waiting, packet);
      return twin !== undefined;
    },
    release(packet) {
      removeFrom(waiting, packet);
      const { time, identity, place } = packet;
      if (!identity.part) return false;
      const [since, until] = [time - windowSeconds, time + windowSeconds];
      return segments.leaveOut({ part: identity.part, place, since, until });
    },
    forgetBefore(now) {
      // A packet that waits for the whole window asks for those of the window before.
      const before = now - 2 * windowSeconds;
      for (let one = inOrder.first; one && one.time < before; one = inOrder.first) forgetOldest();
    },
  };
}

function* firstOf<T>(alike: Iterable<T> | undefined): Generator<T> {
  let count = 0;
  for (const one of alike ?? []) {
    if (count === mostAlike) return;
    count += 1;
    yield one;
  }
}

function bytesOf({ identity: { part } }: Kept): number {
  return part?.captured.length ?? 0;
}

/** What a capture has cut is compared as far as it goes. */
function isSame(a: PacketIdentity, b: PacketIdentity): boolean {
  return a.rest === undefined || b.rest === undefined || a.rest === b.rest;
}

type Identified = { readonly identity: PacketIdentity };

function addTo<T extends Identified>(byStart: Map<string, Set<T>>, one: T): void {
  const { start } = one.identity;
  const alike = byStart.get(start);
  if (alike) alike.add(one);
  else byStart.set(start, new Set([one]));
}

function removeFrom<T extends Identified>(byStart: Map<string, Set<T>>, one: T): void {
  const { start } = one.identity;
  const alike = byStart.get(start);
  alike?.delete(one);
  if (alike?.size === 0) byStart.delete(start);
}
