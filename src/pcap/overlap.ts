import { type PacketKey, packetKey } from './packet-key.ts';
import type { Origin } from './packet-table.ts';
import { type ByteRange, firstTimeUs, lastTimeUs, type Source, SourceReader } from './source.ts';
import { type PacketWindow, packetWindow } from './window.ts';

/** What sources that listened at the same time have twice. */
export type Overlap = {
  /** For each source the records that an earlier one has too, in ascending order. */
  readonly doubled: readonly (readonly ByteRange[])[];
  /** For each source the record of an earlier one from which on both have the same packets. */
  readonly besides: readonly (Beside | undefined)[];
  /** How many records stand in more than one source, counted once for each source after the first. */
  readonly packets: number;
};

export type Beside = Origin;

/** Each socket stamps for itself, one after the other. Measured on two busy cores: 6.4 ms apart at most. */
const toleranceUs = 100_000;
/** Nearly all were less than 0.1 ms apart. */
const usualUs = 10_000;

/**
 * Finds the packets that stand in more than one of the sources, which are in the order in which they began to
 * listen. A packet is known by its bytes, up to the smallest snaplen; times say only where to look for it.
 * Memory is what passes in twice the tolerance (100 ms), as hashes. Where the Node's clock was set back meanwhile,
 * packets can stay undiscovered, and come twice; none is ever taken for another.
 */
export async function findOverlap(sources: readonly Source[]): Promise<Overlap> {
  const spans = await spansOf(sources);
  const keyOf = packetKey(Math.min(...sources.map(({ header }) => header.snaplen)));
  const found: FoundPartner[] = [];
  for (const [index, newer] of sources.entries()) {
    const earlier = sources
      .slice(0, index)
      .flatMap((source, at) =>
        source.place === newer.place && runsBeside(spans[at], spans[index])
          ? { source, index: at, doubled: found[at]?.doubled ?? [] }
          : [],
      );
    found.push(await findDoubled({ newer, beginUs: spans[index]?.firstUs ?? 0, earlier, keyOf }));
  }
  return {
    doubled: found.map(({ doubled }) => doubled),
    besides: found.map(({ beside }) => beside),
    packets: found.reduce((sum, { packets }) => sum + packets, 0),
  };
}

type Span = { readonly firstUs: number; readonly lastUs: number };

/** When each source began and ended; undefined where it has no record. */
async function spansOf(sources: readonly Source[]): Promise<(Span | undefined)[]> {
  // The only one has nothing to be compared with.
  if (sources.length < 2) return sources.map(() => undefined);
  const spans: (Span | undefined)[] = [];
  for (const source of sources) {
    const firstUs = await firstTimeUs(source);
    const lastUs = firstUs === undefined ? undefined : await lastTimeUs(source);
    spans.push(firstUs === undefined || lastUs === undefined ? undefined : { firstUs, lastUs });
  }
  return spans;
}

function runsBeside(older: Span | undefined, newer: Span | undefined): boolean {
  return older !== undefined && newer !== undefined && older.lastUs >= newer.firstUs - toleranceUs;
}

type FoundPartner = {
  readonly doubled: readonly ByteRange[];
  readonly beside: Beside | undefined;
  readonly packets: number;
};

type Comparison = {
  readonly newer: Source;
  /** The time of its first record. */
  readonly beginUs: number;
  readonly earlier: readonly {
    readonly source: Source;
    readonly index: number;
    readonly doubled: readonly ByteRange[];
  }[];
  readonly keyOf: PacketKey;
};

/** Walks the newer source, with the earlier ones always a tolerance ahead of it. */
async function findDoubled({ newer, beginUs, earlier, keyOf }: Comparison): Promise<FoundPartner> {
  const window = packetWindow({ toleranceUs, usualUs });
  const ahead = await Promise.all(
    earlier.map(async ({ source, index, doubled }) => {
      const fromFile = await lastFileBefore(source, beginUs - toleranceUs);
      return new EarlierReader(new SourceReader(source, { fromFile, without: doubled }), index);
    }),
  );
  const doubled: ByteRange[] = [];
  let beside: Beside | undefined;
  let packets = 0;

  const reader = new SourceReader(newer);
  while (ahead.length > 0 && (await reader.ready())) {
    const { timeUs } = reader;
    for (const one of ahead) await one.moveTo({ nowUs: timeUs, sinceUs: beginUs, keyOf, add: window.add });
    window.expire(timeUs);
    if (window.isEmpty() && ahead.every(({ hasEnded }) => hasEnded)) break;
    const partner = window.isEmpty() ? undefined : window.take(keyOf(reader), timeUs);
    if (partner) {
      appendRange(doubled, reader.range);
      beside ??= partner;
      packets += 1;
    }
    reader.advance();
  }
  return { doubled, beside, packets };
}

type Move = {
  /** Where the newer source is, and since when it listened. */
  readonly nowUs: number;
  readonly sinceUs: number;
  readonly keyOf: PacketKey;
  readonly add: PacketWindow['add'];
};

/** One of the earlier sources, read a tolerance ahead of the newer. */
class EarlierReader {
  readonly #reader: SourceReader;
  readonly #source: number;
  #sinceUs: number | undefined;
  hasEnded = false;

  constructor(reader: SourceReader, source: number) {
    this.#reader = reader;
    this.#source = source;
  }

  /** Adds what the newer source may have too. */
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

/** The last file that begins before that time, so that nothing later stands in an earlier file; at least the first. */
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
