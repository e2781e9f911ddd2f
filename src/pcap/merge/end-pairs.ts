import { Fifo } from './fifo.ts';
import type { PacketIdentity } from './packet-identity.ts';
import { type StreamPart, streamCoverage } from './stream-coverage.ts';

/**
 * Pairs packets that were captured at both ends of a conversation. Each has one partner at most for each other capture;
 * or, where TCP was cut into segments in another way, the partner of one is several.
 */
export type EndPairs<T extends WaitingPacket> = {
  /** A packet of the side that is kept: returns those of the other side that have waited for it, from `since` on. */
  readonly addKept: (identity: PacketIdentity, times: KeptTimes) => readonly T[];
  /** Whether the side that is kept has had this packet before. If not, it waits. */
  readonly addOther: (packet: T) => boolean;
  /** The packet waits no longer. */
  readonly remove: (packet: T) => void;
  /** Forgets packets of the side that is kept from before that time. */
  readonly expire: (before: number) => void;
};

export type KeptTimes = { readonly time: number; readonly since: number };

/** A packet of the side that is left out. */
export type WaitingPacket = {
  readonly time: number;
  readonly identity: PacketIdentity;
  /** Where it was captured: each place has its own copies. */
  readonly place: number;
};

type Kept = {
  readonly identity: PacketIdentity;
  readonly time: number;
  /** Places that have had their copy. */
  readonly places: Set<number>;
};

/** More of them are forgotten before their time: their copies are kept. */
const mostKept = 100_000;
/** Packets that start alike: those behind that are not looked at. */
const mostAlike = 64;

export function endPairs<T extends WaitingPacket>(): EndPairs<T> {
  const waiting = new Map<string, Set<T>>();
  const kept = new Map<string, Set<Kept>>();
  const inOrder = new Fifo<Kept>();
  const waitingByStream = new Map<string, Set<T>>();
  const coverage = streamCoverage();

  function forgetOldest(): void {
    const oldest = inOrder.shift();
    if (oldest) removeFrom(kept, oldest);
  }

  function stopWaiting(packet: T): void {
    removeFrom(waiting, packet);
    const { part } = packet.identity;
    if (part) removeAt(waitingByStream, part.stream, packet);
  }

  function leaveOut({ identity: { part }, place }: T): void {
    if (part) coverage.leaveOut({ part, place });
  }

  /** Whether the side that is kept has all of it, in whatever segments. */
  function isCovered({ identity: { part }, place }: T): boolean {
    return part !== undefined && coverage.hasAll({ part, place });
  }

  /** Leaves out what has waited, and of which the side that is kept now has all. */
  function leaveOutCovered(part: StreamPart, since: number): readonly T[] {
    const covered: T[] = [];
    for (const packet of firstOf(waitingByStream.get(part.stream))) {
      if (packet.time < since || !isCovered(packet)) continue;
      leaveOut(packet);
      covered.push(packet);
    }
    return covered;
  }

  return {
    addKept(identity, { time, since }) {
      const one: Kept = { identity, time, places: new Set() };
      const { part } = identity;
      if (part) coverage.addKept(part);
      const partners: T[] = [];
      for (const packet of firstOf(waiting.get(identity.start))) {
        if (packet.time < since || !isSame(packet.identity, identity)) continue;
        if (one.places.has(packet.place)) continue;
        one.places.add(packet.place);
        leaveOut(packet);
        partners.push(packet);
      }
      for (const packet of partners) stopWaiting(packet);
      const covered = part ? leaveOutCovered(part, since) : [];
      for (const packet of covered) stopWaiting(packet);
      addTo(kept, one);
      inOrder.push(one);
      if (inOrder.size > mostKept) forgetOldest();
      return [...partners, ...covered];
    },
    addOther(packet) {
      const { start, part } = packet.identity;
      const isLeft = part === undefined || isCovered(packet);
      const same = firstOf(kept.get(start)).find(
        (one) => isSame(one.identity, packet.identity) && !one.places.has(packet.place),
      );
      if (isLeft && (same || part)) {
        same?.places.add(packet.place);
        leaveOut(packet);
        return true;
      }
      addTo(waiting, packet);
      if (part) addAt(waitingByStream, part.stream, packet);
      return false;
    },
    remove: stopWaiting,
    expire(before) {
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

/** What a capture has cut is compared as far as it goes. */
function isSame(a: PacketIdentity, b: PacketIdentity): boolean {
  return a.rest === undefined || b.rest === undefined || a.rest === b.rest;
}

type Identified = { readonly identity: PacketIdentity };

function addTo<T extends Identified>(byStart: Map<string, Set<T>>, one: T): void {
  addAt(byStart, one.identity.start, one);
}

function removeFrom<T extends Identified>(byStart: Map<string, Set<T>>, one: T): void {
  removeAt(byStart, one.identity.start, one);
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
