import { type PacketKey, packetKey } from './packet-key.ts';
import type { Origin } from './packet-table.ts';
import { type PacketWindow, packetWindow } from './pair-packets.ts';
import { type ByteRange, firstTimeUs, lastTimeUs, type Source, SourceReader } from './source.ts';

/** The packets that more than one source has, because they captured at the same time. */
export type Overlap = {
  /** For each source, the records that an earlier source has too, in ascending order. */
  readonly duplicates: readonly (readonly ByteRange[])[];
  /** For each source, the record of an earlier source from which on both have the same packets. */
  readonly starts: readonly (OverlapStart | undefined)[];
  /** How many duplicates there are in all sources. */
  readonly packets: number;
};

/** The record of an earlier source at which an overlap starts. */
export type OverlapStart = Origin;

/** Each socket takes its own timestamp of a packet. Measured on two busy cores: at most 6.4 ms apart. */
const toleranceUs = 100_000;
/** Nearly all were less than 0.1 ms apart. */
const usualUs = 10_000;

/**
 * Finds the packets that more than one source has. Sources are in the order in which they started to capture. A packet
 * is identified by its bytes, up to the smallest snaplen; times only say where to search. Memory: the hashes of what
 * passes in twice the tolerance (100 ms). Where the Node's clock was set back during the overlap, duplicates can stay
 * undiscovered; no packet is ever taken for a different one. Throws the signal's reason.
 */
export async function findOverlap(sources: readonly Source[], signal?: AbortSignal): Promise<Overlap> {
  const spans = await spansOf(sources);
  const keyOf = packetKey(Math.min(...sources.map(({ header }) => header.snaplen)));
  const comparisons: ComparisonResult[] = [];
  for (const [index, newer] of sources.entries()) {
    const earlier = sources
      .slice(0, index)
      .flatMap((source, at) =>
        source.place === newer.place && overlaps(spans[at], spans[index])
          ? { source, index: at, duplicates: comparisons[at]?.duplicates ?? [] }
          : [],
      );
    const startUs = spans[index]?.firstUs ?? 0;
    comparisons.push(await compare({ newer, startUs, earlier, keyOf, signal }));
  }
  return {
    duplicates: comparisons.map(({ duplicates }) => duplicates),
    starts: comparisons.map(({ start }) => start),
    packets: comparisons.reduce((sum, { packets }) => sum + packets, 0),
  };
}

type Span = { readonly firstUs: number; readonly lastUs: number };

/** The times of the first and the last record of each source; undefined if it has none. */
async function spansOf(sources: readonly Source[]): Promise<(Span | undefined)[]> {
  // A single source has nothing to be compared with.
  if (sources.length < 2) return sources.map(() => undefined);
  const spans: (Span | undefined)[] = [];
  for (const source of sources) {
    const firstUs = await firstTimeUs(source);
    const lastUs = firstUs === undefined ? undefined : await lastTimeUs(source);
    spans.push(firstUs === undefined || lastUs === undefined ? undefined : { firstUs, lastUs });
  }
  return spans;
}

function overlaps(older: Span | undefined, newer: Span | undefined): boolean {
  return older !== undefined && newer !== undefined && older.lastUs >= newer.firstUs - toleranceUs;
}

type ComparisonResult = {
  readonly duplicates: readonly ByteRange[];
  readonly start: OverlapStart | undefined;
  readonly packets: number;
};

type Comparison = {
  readonly newer: Source;
  /** The time of its first record. */
  readonly startUs: number;
  readonly earlier: readonly {
    readonly source: Source;
    readonly index: number;
    readonly duplicates: readonly ByteRange[];
  }[];
  readonly keyOf: PacketKey;
  readonly signal: AbortSignal | undefined;
};

/** Walks the newer source, with the earlier ones always one tolerance ahead of it. */
async function compare({ newer, startUs, earlier, keyOf, signal }: Comparison): Promise<ComparisonResult> {
  const window = packetWindow({ toleranceUs, usualUs });
  const ahead = await Promise.all(
    earlier.map(async ({ source, index, duplicates: skip }) => {
      const fromFile = await lastFileBefore(source, startUs - toleranceUs);
      return new EarlierReader(new SourceReader(source, { fromFile, skip }), index);
    }),
  );
  const duplicates: ByteRange[] = [];
  let start: OverlapStart | undefined;
  let packets = 0;

  const reader = new SourceReader(newer);
  while (ahead.length > 0 && (await reader.ready())) {
    signal?.throwIfAborted();
    const { timeUs } = reader;
    for (const one of ahead) await one.moveTo({ nowUs: timeUs, sinceUs: startUs, keyOf, add: window.add });
    window.expire(timeUs);
    if (window.isEmpty() && ahead.every(({ hasEnded }) => hasEnded)) break;
    const partner = window.isEmpty() ? undefined : window.take(keyOf(reader), timeUs);
    if (partner) {
      appendRange(duplicates, reader.range);
      start ??= partner;
      packets += 1;
    }
    reader.advance();
  }
  return { duplicates, start, packets };
}

type Move = {
  /** The time that the newer source has reached, and when it started to capture. */
  readonly nowUs: number;
  readonly sinceUs: number;
  readonly keyOf: PacketKey;
  readonly add: PacketWindow['add'];
};

/** One of the earlier sources, read one tolerance ahead of the newer. */
class EarlierReader {
  readonly #reader: SourceReader;
  readonly #source: number;
  #sinceUs: number | undefined;
  hasEnded = false;

  constructor(reader: SourceReader, source: number) {
    this.#reader = reader;
    this.#source = source;
  }

  /** Adds the packets that the newer source may have too. */
  async moveTo({ nowUs, sinceUs, keyOf, add }: Move): Promise<void> {
    const reader = this.#reader;
    while (await reader.ready()) {
      const { timeUs } = reader;
      if (timeUs > nowUs + toleranceUs) return;
      this.#sinceUs ??= timeUs;
      if (timeUs >= Math.max(nowUs - toleranceUs, sinceUs - usualUs)) {
        const { file, offset } = reader.position;
        const origin = { source: this.#source, file, offset };
        add({ ...origin, key: keyOf(reader), timeUs, sinceUs: this.#sinceUs });
      }
      reader.advance();
    }
    this.hasEnded = true;
  }
}

/** The last file that starts before `timeUs`: no earlier file has a later record. The first file if none does. */
async function lastFileBefore({ files }: Source, timeUs: number): Promise<number> {
  for (let at = files.length - 1; at > 0; at -= 1) {
    const firstUs = await files[at]?.firstUs();
    if (firstUs !== undefined && firstUs < timeUs) return at;
  }
  return 0;
}

function appendRange(ranges: ByteRange[], { file, from, to }: ByteRange): void {
  const last = ranges.at(-1);
  if (last && last.file === file && last.to === from) ranges[ranges.length - 1] = { ...last, to };
  else ranges.push({ file, from, to });
}
