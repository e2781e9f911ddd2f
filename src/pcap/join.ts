import type { Overlap, OverlapStart } from './overlap.ts';
import { type PcapHeader, serializeHeader } from './pcap-format.ts';
import { type Source, SourceReader } from './source.ts';

export type Join = {
  /** In the order in which they started to capture. */
  readonly sources: readonly Source[];
  readonly overlap: Overlap;
  /** The header of the joined file. */
  readonly header: PcapHeader;
  /** Called when the rest of a file cannot be read; the message names the file. */
  readonly onDamage?: (message: string) => void;
};

/** One header for the records of all sources; undefined if their link types differ: a pcap file has only one. */
export function commonHeader(sources: readonly Source[]): PcapHeader | undefined {
  const [first] = sources;
  if (!first || sources.some(({ header }) => header.linkType !== first.header.linkType)) return undefined;
  return { ...first.header, snaplen: Math.max(...sources.map(({ header }) => header.snaplen)) };
}

/**
 * The bytes of one capture file: a header, then each packet of the sources once. Sources follow one another; where they
 * overlap, their packets are ordered by time. Each chunk is valid until the next one is requested.
 */
export async function* join(options: Join): AsyncGenerator<Uint8Array, void> {
  const buffer = new Uint8Array(chunkBytes);
  let filled = 0;
  const header = serializeHeader(options.header);
  buffer.set(header);
  filled = header.length;

  for await (const span of spans(options)) {
    if (filled + span.length > chunkBytes) {
      yield buffer.subarray(0, filled);
      filled = 0;
    }
    if (span.length > chunkBytes / 2) {
      if (filled > 0) yield buffer.subarray(0, filled);
      filled = 0;
      yield span;
    } else {
      buffer.set(span, filled);
      filled += span.length;
    }
  }
  yield buffer.subarray(0, filled);
}

/** Small spans are collected into chunks, so that a packet does not cost a write of its own. */
const chunkBytes = 128 * 1024;

/** A source that is being read. */
type Active = { readonly index: number; readonly reader: SourceReader };

/** The records, back to back, in their order in the joined file. */
async function* spans({ sources, overlap, header, onDamage }: Join): AsyncGenerator<Uint8Array, void> {
  let active: Active[] = [];
  let next = 0;
  for (;;) {
    active = await withRecords(active);
    const start = overlap.starts[next];
    const source = sources[next];
    if (source && (active.length === 0 || (start && hasReached(active, start)))) {
      const skip = overlap.duplicates[next] ?? [];
      active.push({
        index: next,
        reader: new SourceReader(source, { skip, as: header, ...(onDamage && { onDamage }) }),
      });
      next += 1;
      continue;
    }
    const earliest = earliestOf(active);
    if (!earliest) return;
    const others = active.filter((one) => one !== earliest).map(({ reader }) => reader.timeUs);
    const stop = start?.source === earliest.index ? start : undefined;
    yield earliest.reader.take(Math.min(...others), stop);
  }
}

/** The sources that still have a record. */
async function withRecords(active: readonly Active[]): Promise<Active[]> {
  const left: Active[] = [];
  for (const one of active) if (await one.reader.ready()) left.push(one);
  return left;
}

/** Whether the earlier source has reached the start of the overlap, or has ended. */
function hasReached(active: readonly Active[], { source, file, offset }: OverlapStart): boolean {
  const position = active.find(({ index }) => index === source)?.reader.position;
  return !position || position.file > file || (position.file === file && position.offset >= offset);
}

/** The one whose current record is the earliest; of two at the same time, the older source. */
function earliestOf(active: readonly Active[]): Active | undefined {
  return active.reduce<Active | undefined>(
    (first, one) => (first && first.reader.timeUs <= one.reader.timeUs ? first : one),
    undefined,
  );
}
