import { none, type Origin, packetTable, type WindowEntry } from './packet-table.ts';

/** Packets of a stretch of time, by what they are. */
export type PacketWindow = {
  readonly add: (entry: WindowEntry) => void;
  /** Takes out the packet that is the same as the one of that key, heard at that time; undefined if none is. */
  readonly take: (key: number, timeUs: number) => Origin | undefined;
  /** Forgets what lies further than the tolerance from that time, beginning with the oldest. */
  readonly expire: (nowUs: number) => void;
  readonly isEmpty: () => boolean;
};

export type WindowOptions = {
  /** How far apart two times of one packet may lie. */
  readonly toleranceUs: number;
  /** How far apart they may lie where nothing else is known. */
  readonly usualUs: number;
};

/**
 * Packets that look alike are paired in order. The first pair is the nearest in time; after it each is paired with
 * the next, because a socket that was held up stamps many packets late, and closer together than they came. Where
 * the next is further away than usual, one of the two has lost packets, and the nearest in time is the partner.
 */
export function packetWindow({ toleranceUs, usualUs }: WindowOptions): PacketWindow {
  let table = packetTable(1_024);
  let live = 0;

  function makeRoom(): void {
    const full = table;
    table = packetTable(2 * full.size);
    for (let at = full.oldest(); at !== none; at = full.after(at)) {
      if (full.isGone(at)) continue;
      const to = table.push(full.entryAt(at));
      if (full.isInStep(at)) table.markInStep(to);
    }
  }

  /** The nearest of the same key, from that one on. */
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
      if (table.isFull()) makeRoom();
      table.push(entry);
      live += 1;
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
        live -= 1;
        table.markGone(at);
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
        if (!table.isGone(at)) live -= 1;
        table.dropOldest();
      }
    },
    isEmpty: () => live === 0,
  };
}
