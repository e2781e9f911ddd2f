import { recentMap } from '../decode/recent-map.ts';
import { NumberCounts } from './number-counts.ts';

/** What a TCP segment carries of its stream: one direction of a connection. */
export type StreamPart = {
  /** The same for all segments of the stream. */
  readonly stream: string;
  /** The first sequence number. */
  readonly sequence: number;
  /** How many there are: SYN and FIN have one each. */
  readonly count: number;
  /** Whether it has the SYN. */
  readonly isStart: boolean;
};

/** A segment of the side that is left out, and where it was captured. */
export type PlacedPart = { readonly part: StreamPart; readonly place: number };

/**
 * What the side that is kept has of each stream, however it was cut into segments: network cards and the kernel join and
 * split them (TSO, GSO, GRO, LRO). Each place may leave out a number as often as the side that is kept has it.
 */
export type StreamCoverage = {
  readonly addKept: (part: StreamPart) => void;
  /** Whether the place may still leave out all of the segment. */
  readonly hasAll: (segment: PlacedPart) => boolean;
  readonly leaveOut: (segment: PlacedPart) => void;
};

/** At least this many of those used most recently, and at most twice as many. */
const rememberedStreams = 20_000;

export function streamCoverage(): StreamCoverage {
  const streams = recentMap<Stream>(rememberedStreams);

  function streamOf({ stream }: StreamPart): Stream {
    const known = streams.get(stream);
    if (known) return known;
    const added: Stream = { kept: new NumberCounts(), left: new Map(), near: 2 ** 32 };
    streams.set(stream, added);
    return added;
  }

  return {
    addKept(part) {
      const stream = streamOf(part);
      const range = rangeOf(stream, part);
      if (part.isStart && !stream.kept.hasAll(...range)) restart(stream);
      for (const counts of [stream.kept, ...stream.left.values()]) counts.change(...range, 1);
    },
    hasAll({ part, place }) {
      const stream = streamOf(part);
      return leftAt(stream, place).hasAll(...rangeOf(stream, part));
    },
    leaveOut({ part, place }) {
      const stream = streamOf(part);
      leftAt(stream, place).change(...rangeOf(stream, part), -1);
    },
  };
}

type Stream = {
  /** What the side that is kept has. */
  kept: NumberCounts;
  /** What is left of it to each place. */
  left: Map<number, NumberCounts>;
  /** A position near the next one: sequence numbers wrap around at 2^32, positions do not. */
  near: number;
};

/** The same ports, in a new connection. */
function restart(stream: Stream): void {
  stream.kept = new NumberCounts();
  stream.left = new Map();
}

function leftAt({ kept, left }: Stream, place: number): NumberCounts {
  const known = left.get(place);
  if (known) return known;
  const added = new NumberCounts(kept);
  left.set(place, added);
  return added;
}

function rangeOf(stream: Stream, { sequence, count }: StreamPart): readonly [from: number, to: number] {
  const from = stream.near + ((sequence - stream.near) | 0);
  stream.near = from;
  return [from, from + count];
}
