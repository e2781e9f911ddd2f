import { type FileHandle, open } from 'node:fs/promises';
import {
  fileHeaderBytes,
  maxPacketBytes,
  type PacketRecord,
  type PcapHeader,
  parseHeader,
  recordHeaderBytes,
  recordsIn,
  recordTimeUs,
  scanRecords,
} from './pcap-format.ts';

/**
 * A capture file that is open for reading, as it was when it was opened: what its writer appends since is not read,
 * so that it can be read twice, and it can be unlinked meanwhile.
 */
export type PcapFile = AsyncDisposable & {
  readonly kind: 'pcap';
  readonly path: string;
  readonly header: PcapHeader;
  /** The time of its first record, in microseconds since 1970; undefined when it has none. */
  readonly firstUs: () => Promise<number | undefined>;
  /**
   * Whole records as they stand in the file, many at once: to count or to copy them. A buffer of runBufferBytes
   * can be lent, to read many files with one.
   */
  readonly runs: (buffer?: Uint8Array<ArrayBuffer>) => AsyncGenerator<RecordRun, PcapEnd>;
  /** The same one by one, each with data of its own. */
  readonly records: () => AsyncGenerator<PacketRecord, PcapEnd>;
};

/** A file without a whole header, as tcpdump leaves it for a moment: legal, and without records. */
export type EmptyPcap = { readonly kind: 'empty' };

export type NotPcap = { readonly kind: 'not-pcap'; readonly message: string };

/** Whole records back to back; the bytes are good until the next run is asked for. */
export type RecordRun = {
  readonly records: number;
  /** Where in the file the first of them stands. */
  readonly offset: number;
  readonly bytes: Uint8Array;
};

/** How far a file could be read. `wholeBytes`, its header included, is what a trimmed copy has. */
export type PcapEnd = {
  readonly records: number;
  readonly wholeBytes: number;
} & (
  | { readonly kind: 'end' }
  /** In the middle of a record: still being written, or its writer was killed. */
  | { readonly kind: 'cut' }
  /** What stands at `wholeBytes` cannot be a record; nothing behind it can be found. */
  | { readonly kind: 'corrupt'; readonly message: string }
);

/** Opens a capture file. Throws what open(2) and read(2) say; that it is no capture file is a value. */
export async function openPcap(path: string): Promise<PcapFile | EmptyPcap | NotPcap> {
  await using opening = new AsyncDisposableStack();
  const handle = opening.use(await open(path));
  const { size } = await handle.stat();
  const start = new Uint8Array(fileHeaderBytes);
  const filled = await fill(handle, start, 0);
  const parsed = parseHeader(start.subarray(0, filled));
  if (parsed.kind === 'empty') return parsed;
  if (parsed.kind === 'not-pcap') return { kind: 'not-pcap', message: `${path} ${parsed.message}` };

  const { header } = parsed;
  const kept = opening.move();
  const file = { path, handle, header, size };
  const runs = (buffer: Uint8Array<ArrayBuffer> = new Uint8Array(runBufferBytes)) => readRuns(file, buffer);
  return {
    kind: 'pcap',
    path,
    header,
    firstUs: () => firstUs(file),
    runs,
    records: () => readRecords(runs(), header),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Counts a file's records; memory does not grow with the file. */
export async function countRecords(path: string): Promise<PcapEnd | NotPcap> {
  const opened = await openPcap(path);
  if (opened.kind === 'not-pcap') return opened;
  if (opened.kind === 'empty') return { kind: 'end', records: 0, wholeBytes: 0 };
  await using file = opened;
  const runs = file.runs();
  for (;;) {
    const run = await runs.next();
    if (run.done) return run.value;
  }
}

type OpenFile = {
  readonly path: string;
  readonly handle: FileHandle;
  readonly header: PcapHeader;
  readonly size: number;
};

async function firstUs({ handle, header, size }: OpenFile): Promise<number | undefined> {
  const start = new Uint8Array(recordHeaderBytes);
  if ((await fill(handle, start, fileHeaderBytes)) < recordHeaderBytes) return undefined;
  const view = new DataView(start.buffer);
  const little = header.byteOrder === 'little';
  const end = fileHeaderBytes + recordHeaderBytes + view.getUint32(8, little);
  return end <= size && view.getUint32(12, little) > 0 ? recordTimeUs(view, 0, header) : undefined;
}

/** Any record fits, so each read that is full has at least one whole record. */
export const runBufferBytes = 2 * (maxPacketBytes + recordHeaderBytes);

async function* readRuns(
  { path, handle, header, size }: OpenFile,
  buffer: Uint8Array<ArrayBuffer>,
): AsyncGenerator<RecordRun, PcapEnd> {
  let records = 0;
  let wholeBytes = fileHeaderBytes;
  for (;;) {
    const wanted = buffer.subarray(0, Math.max(0, size - wholeBytes));
    const filled = await fill(handle, wanted, wholeBytes);
    const scan = scanRecords(wanted.subarray(0, filled), header);
    if (scan.records > 0)
      yield { records: scan.records, offset: wholeBytes, bytes: wanted.subarray(0, scan.wholeBytes) };
    records += scan.records;
    wholeBytes += scan.wholeBytes;
    if (scan.stop === 'corrupt')
      return {
        kind: 'corrupt',
        records,
        wholeBytes,
        message: `${path} has no packet record at byte ${wholeBytes}`,
      };
    if (filled < buffer.length) return { kind: scan.stop, records, wholeBytes };
  }
}

/** read(2) may give less than there is; less than the buffer takes is the end of the file only when it gives 0. */
async function fill(handle: FileHandle, buffer: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

async function* readRecords(
  runs: AsyncGenerator<RecordRun, PcapEnd>,
  header: PcapHeader,
): AsyncGenerator<PacketRecord, PcapEnd> {
  for (;;) {
    const run = await runs.next();
    if (run.done) return run.value;
    yield* recordsIn(run.value.bytes.slice(), header);
  }
}
