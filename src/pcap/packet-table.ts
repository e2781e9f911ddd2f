/** Whose packet it is, and where it stands. */
export type Origin = { readonly source: number; readonly file: number; readonly offset: number };

export type WindowEntry = Origin & {
  readonly key: number;
  readonly timeUs: number;
  /** Whoever heard it has heard nothing before that time. */
  readonly sinceUs: number;
};

/** Packets by their index; one that is gone stays in the queue until it is the oldest. */
export type PacketTable = {
  readonly size: number;
  readonly push: (entry: WindowEntry) => number;
  readonly entryAt: (at: number) => WindowEntry;
  readonly timeOf: (at: number) => number;
  readonly sinceOf: (at: number) => number;
  readonly markGone: (at: number) => void;
  readonly isGone: (at: number) => boolean;
  readonly markInStep: (at: number) => void;
  readonly isInStep: (at: number) => boolean;
  readonly isFull: () => boolean;
  readonly oldest: () => number;
  readonly after: (at: number) => number;
  readonly dropOldest: () => void;
  /** Of those that are not gone. */
  readonly firstAlike: (key: number) => number;
  readonly nextAlike: (at: number) => number;
};

/** In place of an index. */
export const none = -1;
const gone = 1;
const inStep = 2;

/**
 * A queue of so many packets, a power of two, that can be looked up by their keys: those of a bucket of keys are
 * chained, oldest first. Typed arrays, because 100,000 packets come and go in a second: as objects they took 220 MB.
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
  let begin = 0;
  let count = 0;

  const bucketOf = (key: number) => key % size;
  const has = (at: number, flag: number) => ((flags[at] ?? 0) & flag) !== 0;

  function alikeFrom(start: number, key: number): number {
    let at = start;
    while (at !== none && (has(at, gone) || keys[at] !== key)) at = nexts[at] ?? none;
    return at;
  }

  function push(entry: WindowEntry): number {
    const at = (begin + count) & mask;
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

  /** What is gone at the beginning of a chain leaves it, so that many packets that look alike are not walked again. */
  function shorten(bucket: number): void {
    let first = firsts[bucket] ?? none;
    while (first !== none && has(first, gone)) first = nexts[first] ?? none;
    firsts[bucket] = first;
    if (first === none) lasts[bucket] = none;
  }

  function markGone(at: number): void {
    flags[at] = (flags[at] ?? 0) | gone;
    shorten(bucketOf(keys[at] ?? 0));
  }

  return {
    size,
    push,
    markGone,
    isGone: (at) => has(at, gone),
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
    oldest: () => (count === 0 ? none : begin),
    after: (at) => (((at - begin) & mask) === count - 1 ? none : (at + 1) & mask),
    dropOldest() {
      markGone(begin);
      begin = (begin + 1) & mask;
      count -= 1;
    },
    firstAlike: (key) => alikeFrom(firsts[bucketOf(key)] ?? none, key),
    nextAlike: (at) => alikeFrom(nexts[at] ?? none, keys[at] ?? 0),
  };
}
