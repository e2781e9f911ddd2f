import { numbersOf, type StreamPart } from './stream-part.ts';

/** A TCP segment that the side that is kept has captured. */
export type KeptSegment = {
  readonly stream: string;
  readonly time: number;
  /** Its sequence numbers, which wrap around at 2^32, as positions in the stream, which do not: from one up to another. */
  readonly from: number;
  readonly to: number;
  /** Where its bytes end: a FIN may follow. */
  readonly dataTo: number;
  /** Places that have left out the same segment. */
  readonly twins: ReadonlySet<number>;
  /** What other places have left out because of it, in segments of their own. */
  readonly used: Map<number, UsedPositions>;
  /** The captured bytes; undefined once it is forgotten. */
  captured: Uint8Array | undefined;
};

/** A segment of the side that is left out. */
export type OtherSegment = {
  readonly part: StreamPart;
  readonly place: number;
  /** When both can have captured the same. */
  readonly since: number;
  readonly until: number;
};

/**
 * The segments of the side that is kept, to find out whether it has all bytes of another one, however they were cut into
 * segments: network cards and the kernel split and join them (TSO, GSO, GRO, LRO).
 */
export type KeptSegments = {
  /** Keeps a copy of its bytes. `twins` grows later. */
  readonly add: (part: StreamPart, time: number, twins: ReadonlySet<number>) => KeptSegment;
  readonly forget: (segment: KeptSegment) => void;
  /** Leaves out the segment if all of it is there, and was not left out at this place before; returns whether it does. */
  readonly leaveOut: (segment: OtherSegment) => boolean;
};

export function keptSegments(): KeptSegments {
  const streams = new Map<string, Stream>();
  return {
    add(part, time, twins) {
      const stream = streams.get(part.stream) ?? newStream(part);
      streams.set(part.stream, stream);
      const from = positionOf(stream, part);
      stream.near = from;
      const segment: KeptSegment = {
        stream: part.stream,
        time,
        from,
        to: from + numbersOf(part),
        dataTo: from + part.dataBytes,
        twins,
        used: new Map(),
        captured: part.captured.slice(),
      };
      insert(stream, segment);
      return segment;
    },
    forget(segment) {
      const stream = streams.get(segment.stream);
      if (!stream || segment.captured === undefined) return;
      segment.captured = undefined;
      stream.forgotten += 1;
      if (stream.forgotten === stream.segments.length) streams.delete(segment.stream);
      else if (stream.forgotten > stream.segments.length / 2) compact(stream);
    },
    leaveOut(other) {
      const stream = streams.get(other.part.stream);
      const pieces = stream && piecesOf(stream, other);
      for (const { segment, from, to } of pieces ?? []) usedAt(segment, other.place).add(from, to);
      return pieces !== undefined;
    },
  };
}

type Stream = {
  /** By where they start. */
  segments: KeptSegment[];
  forgotten: number;
  /** At least that of each segment. */
  longest: number;
  /** The position of the last one that was added. */
  near: number;
};

function newStream({ sequence }: StreamPart): Stream {
  return { segments: [], forgotten: 0, longest: 0, near: 2 ** 32 + sequence };
}

function positionOf({ near }: Stream, { sequence }: StreamPart): number {
  return near + ((sequence - near) | 0);
}

function insert(stream: Stream, segment: KeptSegment): void {
  const { segments } = stream;
  segments.splice(firstFrom(segments, segment.from + 1), 0, segment);
  stream.longest = Math.max(stream.longest, segment.to - segment.from);
}

function compact(stream: Stream): void {
  stream.segments = stream.segments.filter(({ captured }) => captured !== undefined);
  stream.forgotten = 0;
  stream.longest = stream.segments.reduce((longest, { from, to }) => Math.max(longest, to - from), 0);
}

/** The index of the first segment that starts at that position or later. */
function firstFrom(segments: readonly KeptSegment[], position: number): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((segments[middle]?.from ?? Infinity) < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

type Piece = { readonly segment: KeptSegment; readonly from: number; readonly to: number };

/** How many segments are looked at: more than BIG TCP joins. What needs a longer search is not left out. */
const mostLooks = 2_048;

/** The pieces of kept segments that make up another one; undefined if some of it is not there. */
function piecesOf(stream: Stream, other: OtherSegment): readonly Piece[] | undefined {
  const from = positionOf(stream, other.part);
  const range = { from, to: from + numbersOf(other.part) };
  const pieces: Piece[] = [];
  let next = range.from;
  let looks = 0;
  for (let reached = -1; reached < next && next < range.to; ) {
    reached = next;
    const { segments } = stream;
    for (let at = firstFrom(segments, next - stream.longest + 1); at < segments.length; at += 1) {
      const segment = segments[at];
      if (!segment || segment.from > next || next === range.to) break;
      looks += 1;
      if (looks > mostLooks) return undefined;
      const to = usableEnd(segment, other, { ...range, next });
      if (to === next) continue;
      pieces.push({ segment, from: next, to });
      next = to;
    }
  }
  return next === range.to ? pieces : undefined;
}

type Progress = { readonly from: number; readonly to: number; readonly next: number };

/** Up to where the segment has the other one's numbers from `next` on. */
function usableEnd(segment: KeptSegment, other: OtherSegment, { from, to, next }: Progress): number {
  const { captured } = segment;
  if (captured === undefined || segment.to <= next || segment.twins.has(other.place)) return next;
  if (segment.time < other.since || segment.time > other.until) return next;
  // Cut alike, it would be the same segment. It is not.
  if (segment.from === from && segment.to === to) return next;
  const end = Math.min(segment.to, to);
  const free = segment.used.get(other.place)?.freeEnd(next, end) ?? end;
  const { part } = other;
  const same = hasSameContent(
    { from: segment.from, dataTo: segment.dataTo, captured },
    { from, dataTo: from + part.dataBytes, captured: part.captured },
    { from: next, to: free },
  );
  return same ? free : next;
}

type Content = Pick<KeptSegment, 'from' | 'dataTo'> & { readonly captured: Uint8Array };
type Range = { readonly from: number; readonly to: number };

/** Whether both have the same there, as far as both were captured. */
function hasSameContent(a: Content, b: Content, { from, to }: Range): boolean {
  if (Math.min(a.dataTo, to) !== Math.min(b.dataTo, to)) return false;
  const end = Math.min(a.from + a.captured.length, b.from + b.captured.length, to);
  if (end <= from) return true;
  const bytes = (one: Content) => one.captured.subarray(from - one.from, end - one.from);
  return Buffer.compare(bytes(a), bytes(b)) === 0;
}

/** Positions of a segment, as ranges from one up to another. */
class UsedPositions {
  #ranges: readonly Range[] = [];

  /** Up to where nothing is used from `from` on. */
  freeEnd(from: number, to: number): number {
    const next = this.#ranges.find((range) => range.to > from);
    return next ? Math.min(Math.max(next.from, from), to) : to;
  }

  add(from: number, to: number): void {
    let joined: Range = { from, to };
    const apart: Range[] = [];
    for (const range of this.#ranges)
      if (range.to < from || to < range.from) apart.push(range);
      else joined = { from: Math.min(joined.from, range.from), to: Math.max(joined.to, range.to) };
    this.#ranges = [...apart, joined].toSorted((a, b) => a.from - b.from);
    // So many are no work of a network. Then all of the segment counts as used.
    if (this.#ranges.length > mostRanges) this.#ranges = [{ from: -Infinity, to: Infinity }];
  }
}

const mostRanges = 64;

function usedAt({ used }: KeptSegment, place: number): UsedPositions {
  const known = used.get(place);
  if (known) return known;
  const added = new UsedPositions();
  used.set(place, added);
  return added;
}
