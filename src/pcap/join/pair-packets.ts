import { none, type Origin, packetTable, type WindowEntry } from './packet-table.ts';

/** The packets of the older sources around the current time, by key. */
export type PacketWindow = {
  readonly add: (entry: WindowEntry) => void;
  /** Removes and returns the packet that equals one with that key and time; undefined if there is none. */
  readonly take: (key: number, timeUs: number) => Origin | undefined;
  /** Removes the oldest packets, as long as they are further from `nowUs` than the tolerance. */
  readonly expire: (nowUs: number) => void;
  readonly isEmpty: () => boolean;
};

export type WindowOptions = {
  /** How far apart two timestamps of one packet can be. */
  readonly toleranceUs: number;
  /** How far apart they usually are. */
  readonly usualUs: number;
};

/**
 * Packets that look alike are paired in order. The first pair is the nearest in time. After it, each packet is paired
 * with the next one, in step, because a delayed socket stamps many packets late and closer together than they arrived.
 * Where the next one is further away than usual, one of the two sources has lost packets; then the nearest in time is
 * the partner again.
 */
export function packetWindow({ toleranceUs, usualUs }: WindowOptions): PacketWindow {
  let table = packetTable(1_024);
  let size = 0;

  function grow(): void {
    const full = table;
    table = packetTable(2 * full.size);
    for (let at = full.oldest(); at !== none; at = full.after(at)) {
      if (full.isRemoved(at)) continue;
      const to = table.push(full.entryAt(at));
      if (full.isInStep(at)) table.markInStep(to);
    }
  }

  /** The packet of the same key that is the nearest in time, from `first` on. */
  function nearest(first: number, timeUs: number): number {
    let found = none;
    let distance = toleranceUs;
    for (let at = first; at !== none; at = table.nextAlike(at)) {
      const atUs = table.timeOf(at);
      if (atUs - timeUs > distance) break;
      if (Math.abs(atUs - timeUs) > distance || timeUs < table.sinceOf(at) - usualUs) continue;
      found = at;
      distance = Math.abs(atUs - timeUs);
    }
    return found;
  }

  return {
    add(entry) {
      if (table.isFull()) grow();
      table.push(entry);
      size += 1;
    },
    take(key, timeUs) {
      const first = table.firstAlike(key);
      if (first === none) return undefined;
      const isNext = table.isInStep(first) && Math.abs(table.timeOf(first) - timeUs) <= usualUs;
      const partner = isNext ? first : nearest(first, timeUs);
      if (partner === none) return undefined;
      const next = table.nextAlike(partner);
      for (let at = first; at !== next; ) {
        const after = table.nextAlike(at);
        size -= 1;
        table.markRemoved(at);
        at = after;
      }
      if (next !== none) table.markInStep(next);
      return table.entryAt(partner);
    },
    expire(nowUs) {
      for (;;) {
        const at = table.oldest();
        if (at === none || Math.abs(table.timeOf(at) - nowUs) <= toleranceUs) return;
        const next = table.isInStep(at) ? table.nextAlike(at) : none;
        if (next !== none) table.markInStep(next);
        if (!table.isRemoved(at)) size -= 1;
        table.dropOldest();
      }
    },
    isEmpty: () => size === 0,
  };
}
