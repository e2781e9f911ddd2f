/** Packets of a stretch of time, by what they are. */
export type PacketWindow<T> = {
  readonly add: (entry: WindowEntry<T>) => void;
  /** Takes out the packet that is the same as the one of that key, heard at that time; undefined if none is. */
  readonly take: (key: string, timeUs: number) => T | undefined;
  /** Forgets what lies further than the tolerance from that time, beginning with the oldest. */
  readonly expire: (nowUs: number) => void;
  readonly isEmpty: () => boolean;
};

export type WindowEntry<T> = {
  readonly key: string;
  readonly timeUs: number;
  /** Whoever heard it has heard nothing before that time. */
  readonly sinceUs: number;
  readonly of: T;
};

export type WindowOptions = {
  /** How far apart two times of one packet may lie. */
  readonly toleranceUs: number;
  /** How far apart they may lie where nothing else is known. */
  readonly usualUs: number;
};

/** Packets that look alike, oldest first. */
type Alike<T> = {
  readonly entries: Queue<WindowEntry<T>>;
  /** One of them has been taken, and all before it are gone: the next is expected to be the first that is left. */
  inStep: boolean;
};

/**
 * Packets that look alike are paired in order. The first pair is the nearest in time; after it each is paired with
 * the next, because a socket that was held up stamps many packets late, and closer together than they came. Where
 * the next is further away than usual, one of the two has lost packets, and the nearest in time is the partner.
 */
export function packetWindow<T>({ toleranceUs, usualUs }: WindowOptions): PacketWindow<T> {
  const byKey = new Map<string, Alike<T>>();
  const arrivals = queue<WindowEntry<T>>();

  function removeFirst(key: string, alike: Alike<T>, count: number): void {
    alike.entries.drop(count);
    if (alike.entries.length() === 0) byKey.delete(key);
  }

  function nearest({ entries }: Alike<T>, timeUs: number): number | undefined {
    let found: number | undefined;
    let distance = toleranceUs;
    for (let at = 0; ; at += 1) {
      const entry = entries.at(at);
      if (!entry || entry.timeUs - timeUs > distance) return found;
      if (Math.abs(entry.timeUs - timeUs) > distance || timeUs < entry.sinceUs - usualUs) continue;
      found = at;
      distance = Math.abs(entry.timeUs - timeUs);
    }
  }

  return {
    add(entry) {
      const alike = byKey.get(entry.key) ?? { entries: queue(), inStep: false };
      alike.entries.push(entry);
      byKey.set(entry.key, alike);
      arrivals.push(entry);
    },
    take(key, timeUs) {
      const alike = byKey.get(key);
      const next = alike?.entries.at(0);
      if (!alike || !next) return undefined;
      const isNext = alike.inStep && Math.abs(next.timeUs - timeUs) <= usualUs;
      const at = isNext ? 0 : nearest(alike, timeUs);
      if (at === undefined) return undefined;
      const taken = alike.entries.at(at);
      alike.inStep = true;
      removeFirst(key, alike, at + 1);
      return taken?.of;
    },
    expire(nowUs) {
      for (;;) {
        const oldest = arrivals.at(0);
        if (!oldest || Math.abs(oldest.timeUs - nowUs) <= toleranceUs) return;
        arrivals.drop(1);
        const alike = byKey.get(oldest.key);
        if (alike?.entries.at(0) === oldest) removeFirst(oldest.key, alike, 1);
      }
    },
    isEmpty: () => byKey.size === 0,
  };
}

type Queue<T> = {
  readonly push: (item: T) => void;
  /** Counted from the first. */
  readonly at: (index: number) => T | undefined;
  readonly drop: (count: number) => void;
  readonly length: () => number;
};

/** An array whose beginning is given up now and then: Array.shift() copies what is left, each time. */
function queue<T>(): Queue<T> {
  const items: T[] = [];
  let head = 0;
  return {
    push: (item) => items.push(item),
    at: (index) => items[head + index],
    drop(count) {
      head += count;
      if (head < 64 || head < items.length / 2) return;
      items.splice(0, head);
      head = 0;
    },
    length: () => items.length - head,
  };
}
