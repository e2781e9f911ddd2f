import type { Beside, Overlap } from './overlap.ts';
import { type PcapHeader, serializeHeader } from './pcap-format.ts';
import { type Source, SourceReader } from './source.ts';

export type Join = {
  /** In the order in which they began to listen. */
  readonly sources: readonly Source[];
  readonly overlap: Overlap;
  /** Of the file that comes out. */
  readonly header: PcapHeader;
  /** A file has an end that cannot be read: the message names it. */
  readonly onDamage?: (message: string) => void;
};

/** The header for the records of all sources; undefined when their link types differ, which one file cannot hold. */
export function commonHeader(sources: readonly Source[]): PcapHeader | undefined {
  const [first] = sources;
  if (!first || sources.some(({ header }) => header.linkType !== first.header.linkType)) return undefined;
  return { ...first.header, snaplen: Math.max(...sources.map(({ header }) => header.snaplen)) };
}

/**
 * One capture file: one header, then each packet of the sources once. Sources follow each other; where the overlap
 * shows that they ran beside each other, by time. The bytes are good until the next are asked for.
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

/** Small spans are gathered, so that no packet costs a write of its own. */
const chunkBytes = 128 * 1024;

type Active = { readonly index: number; readonly reader: SourceReader };

/** Records back to back, in the order in which they go out. */
async function* spans({ sources, overlap, header, onDamage }: Join): AsyncGenerator<Uint8Array, void> {
  let active: Active[] = [];
  let next = 0;
  for (;;) {
    active = await unended(active);
    const beside = overlap.besides[next];
    const source = sources[next];
    if (source && (active.length === 0 || (beside && hasReached(active, beside)))) {
      const without = overlap.doubled[next] ?? [];
      active.push({
        index: next,
        reader: new SourceReader(source, { without, as: header, ...(onDamage && { onDamage }) }),
      });
      next += 1;
      continue;
    }
    const earliest = earliestOf(active);
    if (!earliest) return;
    const others = active.filter((one) => one !== earliest).map(({ reader }) => reader.timeUs);
    const stop = beside?.source === earliest.index ? beside : undefined;
    yield earliest.reader.take(Math.min(...others), stop);
  }
}

async function unended(active: readonly Active[]): Promise<Active[]> {
  const left: Active[] = [];
  for (const one of active) if (await one.reader.ready()) left.push(one);
  return left;
}

/** The earlier source has come to where the next one runs beside it, or has ended. */
function hasReached(active: readonly Active[], { source, file, offset }: Beside): boolean {
  const position = active.find(({ index }) => index === source)?.reader.position;
  return !position || position.file > file || (position.file === file && position.offset >= offset);
}

/** The one whose record at hand is the earliest; of two at the same time the older source. */
function earliestOf(active: readonly Active[]): Active | undefined {
  return active.reduce<Active | undefined>(
    (first, one) => (first && first.reader.timeUs <= one.reader.timeUs ? first : one),
    undefined,
  );
}
