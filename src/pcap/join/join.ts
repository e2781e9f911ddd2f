import type { CaptureInterface } from '../capture-interface.ts';
import type { Damage, PacketReader } from '../packet-reader.ts';
import type { Overlap, OverlapStart } from './overlap.ts';
import { type Source, SourceReader } from './source.ts';
import { type RecordSpan, SpanPackets } from './span-packets.ts';

export type Join = {
  /** In the order in which they started to capture. */
  readonly sources: readonly Source[];
  readonly overlap: Overlap;
  /** Those of the sources, in the same order. */
  readonly interfaces: readonly CaptureInterface[];
  /** Whether each file is closed once it has been read. */
  readonly closesFiles?: boolean;
  /** Its reason is thrown where more would be read. */
  readonly signal?: AbortSignal | undefined;
};

/**
 * Each packet of the sources once. Sources of one interface follow one another; where they overlap, their packets are
 * ordered by time, and so are those of several interfaces. The interface of a packet has the index of its source. The
 * caller closes the files of the sources.
 */
export function joinedPackets(join: Join): PacketReader {
  const damage: Damage[] = [];
  const onDamage = (message: string) =>
    void damage.push({ kind: 'corrupt', message, offset: 0, resumedAt: undefined });
  const headers = join.sources.map(({ header }) => header);
  const headerOf = (source: number) => headers[source];
  return new SpanPackets({ spans: spans(join, onDamage), interfaces: join.interfaces, headerOf, damage });
}

/** A source that is being read. */
type Active = { readonly index: number; readonly reader: SourceReader };

/** The sources of one interface: the indices of those that are not read yet, and those that are being read. */
type Sequence = { readonly waiting: number[]; active: Active[] };

/** The records in their order. */
async function* spans(
  { sources, overlap, closesFiles = false, signal }: Omit<Join, 'interfaces'>,
  onDamage: (message: string) => void,
): AsyncGenerator<RecordSpan, void> {
  const open = (index: number, source: Source): Active => {
    const skip = overlap.duplicates[index] ?? [];
    return { index, reader: new SourceReader(source, { skip, onDamage, closesFiles }) };
  };
  const sequences = sequencesOf(sources);
  for (;;) {
    signal?.throwIfAborted();
    for (const sequence of sequences) await openDue(sequence, { sources, overlap }, open);
    const active = sequences.flatMap((sequence) => sequence.active);
    const earliest = earliestOf(active);
    if (!earliest) return;
    const others = active.filter((one) => one !== earliest).map(({ reader }) => reader.timeUs);
    const start = sequences
      .map(({ waiting: [next] }) => (next === undefined ? undefined : overlap.starts[next]))
      .find((each) => each?.source === earliest.index);
    yield { source: earliest.index, bytes: earliest.reader.take(Math.min(...others), start) };
  }
}

function sequencesOf(sources: readonly Source[]): Sequence[] {
  const indices = [...sources.keys()];
  return [...Map.groupBy(indices, (index) => sources[index]?.interfaceName).values()].map((waiting) => ({
    waiting: [...waiting],
    active: [],
  }));
}

/** Opens the next source once the ones before it have ended, or have reached what it has too. */
async function openDue(
  sequence: Sequence,
  { sources, overlap }: Omit<Join, 'interfaces'>,
  open: (index: number, source: Source) => Active,
): Promise<void> {
  for (;;) {
    sequence.active = await withRecords(sequence.active);
    const [next] = sequence.waiting;
    const source = next === undefined ? undefined : sources[next];
    if (next === undefined || !source) return;
    const start = overlap.starts[next];
    if (sequence.active.length > 0 && !(start && hasReached(sequence.active, start))) return;
    sequence.waiting.shift();
    sequence.active.push(open(next, source));
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
