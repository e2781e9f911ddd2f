/** The source of a packet, by its index, and the position of its record in it. */
export type Origin = { readonly source: number; readonly file: number; readonly offset: number };

/** A packet that may have a partner in a newer source. */
export type WindowEntry = Origin & {
  readonly key: number;
  readonly timeUs: number;
  /** The time from which on its source was read: it has no packet from before. */
  readonly sinceUs: number;
};

/** Packets by their slot in the table. A removed one keeps its slot until it is the oldest. */
export type PacketTable = {
  readonly size: number;
  readonly push: (entry: WindowEntry) => number;
  readonly entryAt: (at: number) => WindowEntry;
  readonly timeOf: (at: number) => number;
  readonly sinceOf: (at: number) => number;
  readonly markRemoved: (at: number) => void;
  readonly isRemoved: (at: number) => boolean;
  /** Marks the packet that is paired next with the next one of its key. */
  readonly markInStep: (at: number) => void;
  readonly isInStep: (at: number) => boolean;
  readonly isFull: () => boolean;
  readonly oldest: () => number;
  readonly after: (at: number) => number;
  readonly dropOldest: () => void;
  /** The oldest packet of that key that is not removed, and the one after it; `none` if there is none. */
  readonly firstAlike: (key: number) => number;
  readonly nextAlike: (at: number) => number;
};

/** In place of a slot. */
export const none = -1;
const removed = 1;
const inStep = 2;

/**
 * A queue of `size` packets (a power of two) that can be looked up by key: the packets of a bucket are chained, oldest
 * first. In typed arrays, because 100,000 packets pass in a second: as objects they took 220 MB.
 */
export function packetTable(size: number): PacketTable {
  const mask = size - 1;
  const keys = new Float64Array(size);
  const timesUs = new Float64Array(size);
  const sincesUs = new Float64Array(size);
  const sources = new Int32Array(size);
  const files = new Int32Array(size);
  const offsets = new Float64Array(size);
  const flags = new Uint8Array(size);
  const nexts = new Int32Array(size);
  const firsts = new Int32Array(size).fill(none);
  const lasts = new Int32Array(size).fill(none);
  let start = 0;
  let count = 0;

  const bucketOf = (key: number) => key % size;
  const has = (at: number, flag: number) => ((flags[at] ?? 0) & flag) !== 0;

  function alikeFrom(from: number, key: number): number {
    let at = from;
    while (at !== none && (has(at, removed) || keys[at] !== key)) at = nexts[at] ?? none;
    return at;
  }

  function push(entry: WindowEntry): number {
    const at = (start + count) & mask;
    count += 1;
    keys[at] = entry.key;
    timesUs[at] = entry.timeUs;
    sincesUs[at] = entry.sinceUs;
    sources[at] = entry.source;
    files[at] = entry.file;
    offsets[at] = entry.offset;
    flags[at] = 0;
    nexts[at] = none;
    const bucket = bucketOf(entry.key);
    const last = lasts[bucket] ?? none;
    if (last === none) firsts[bucket] = at;
    else nexts[last] = at;
    lasts[bucket] = at;
    return at;
  }

  /** Takes removed packets off the head of a chain, so that lookups do not pass many alike ones again. */
  function trimChain(bucket: number): void {
    let first = firsts[bucket] ?? none;
    while (first !== none && has(first, removed)) first = nexts[first] ?? none;
    firsts[bucket] = first;
    if (first === none) lasts[bucket] = none;
  }

  function markRemoved(at: number): void {
    flags[at] = (flags[at] ?? 0) | removed;
    trimChain(bucketOf(keys[at] ?? 0));
  }

  return {
    size,
    push,
    markRemoved,
    isRemoved: (at) => has(at, removed),
    markInStep(at) {
      flags[at] = (flags[at] ?? 0) | inStep;
    },
    isInStep: (at) => has(at, inStep),
    timeOf: (at) => timesUs[at] ?? 0,
    sinceOf: (at) => sincesUs[at] ?? 0,
    entryAt: (at) => ({
      key: keys[at] ?? 0,
      timeUs: timesUs[at] ?? 0,
      sinceUs: sincesUs[at] ?? 0,
      source: sources[at] ?? 0,
      file: files[at] ?? 0,
      offset: offsets[at] ?? 0,
    }),
    isFull: () => count === size,
    oldest: () => (count === 0 ? none : start),
    after: (at) => (((at - start) & mask) === count - 1 ? none : (at + 1) & mask),
    dropOldest() {
      markRemoved(start);
      start = (start + 1) & mask;
      count -= 1;
    },
    firstAlike: (key) => alikeFrom(firsts[bucketOf(key)] ?? none, key),
    nextAlike: (at) => alikeFrom(nexts[at] ?? none, keys[at] ?? 0),
  };
}
