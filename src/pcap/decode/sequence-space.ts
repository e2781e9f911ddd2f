/** Which sequence numbers of one direction of a connection were seen: all up to `next`, except the holes. */
export type SequenceSpace = {
  hasBase: boolean;
  /** Where relative numbers start. */
  base: number;
  /** Whether any number was seen. */
  hasData: boolean;
  /** The number after the highest one that was seen. */
  next: number;
  /** Numbers below `next` that were not seen, oldest first; undefined as long as there was none. */
  holes: Hole[] | undefined;
};

/** `from` and the number after the last; sequence numbers wrap around at 2^32. */
type Hole = { readonly from: number; readonly to: number };

/** More holes than this are loss beyond telling: then what fills the oldest is taken for a retransmission. */
const maxHoles = 8;

export function newSequenceSpace(): SequenceSpace {
  return { hasBase: false, base: 0, hasData: false, next: 0, holes: undefined };
}

/** Whether any of `count` numbers from `from` on was seen before. */
export function isSeen(space: SequenceSpace, from: number, count: number): boolean {
  if (!space.hasData || distance(from, space.next) <= 0) return false;
  const to = (from + count) >>> 0;
  const { holes } = space;
  if (holes === undefined) return true;
  return !holes.some((hole) => distance(hole.from, from) >= 0 && distance(to, hole.to) >= 0);
}

/** Notes that these numbers were seen. */
export function see(space: SequenceSpace, from: number, count: number): void {
  const to = (from + count) >>> 0;
  if (!space.hasData) {
    space.hasData = true;
    space.next = to;
    return;
  }
  const ahead = distance(space.next, from);
  if (ahead > 0) addHole(space, { from: space.next, to: from });
  // A hole can become two.
  else if (space.holes !== undefined)
    space.holes = space.holes.flatMap((hole) => without(hole, from, to)).slice(-maxHoles);
  if (distance(space.next, to) > 0) space.next = to;
}

function addHole(space: SequenceSpace, hole: Hole): void {
  space.holes ??= [];
  space.holes.push(hole);
  if (space.holes.length > maxHoles) space.holes.shift();
}

/** What is left of a hole. */
function without(hole: Hole, from: number, to: number): readonly Hole[] {
  if (distance(to, hole.from) >= 0 || distance(hole.to, from) >= 0) return [hole];
  const before = { from: hole.from, to: from };
  const after = { from: to, to: hole.to };
  return [before, after].filter((part) => distance(part.from, part.to) > 0);
}

/** How far it is from `a` to `b`, less than 2^31 in either direction. */
function distance(a: number, b: number): number {
  return (b - a) | 0;
}
