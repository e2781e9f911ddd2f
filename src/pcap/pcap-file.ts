import type { FileHandle } from 'node:fs/promises';
import { openPlainFile } from '../base/plain-file.ts';
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
 * An open capture file, as it was when it was opened. What its writer appends later is not read, so that it can be read
 * twice with the same result, unless `extend` is called. It can be unlinked while it is read.
 */
export type PcapFile = AsyncDisposable & {
  readonly kind: 'pcap';
  readonly path: string;
  readonly header: PcapHeader;
  /** The time of its first record, in microseconds since 1970; undefined if it has none. */
  readonly firstUs: () => Promise<number | undefined>;
  /**
   * Whole records as they are in the file, many at once: to count or to copy them. A caller that reads many files can
   * pass one buffer of runBufferBytes for all of them. `from` is the `wholeBytes` at which an earlier reader ended: what
   * was there is not read again.
   */
  readonly runs: (buffer?: Uint8Array<ArrayBuffer>, from?: number) => AsyncGenerator<RecordRun, PcapEnd>;
  /** What its writer has appended by now is read from now on. */
  readonly extend: () => Promise<void>;
  /** How long it is, as far as it is read. */
  readonly size: () => number;
  /** How much of the disk it takes although it has been deleted; 0 while it has a name, and once it is closed. */
  readonly deletedBytes: () => Promise<number>;
  /** The records one by one, each with its own copy of the data. */
  readonly records: () => AsyncGenerator<PacketRecord, PcapEnd>;
};

/** A file without a complete header, as tcpdump leaves it for a moment: valid, and without records. */
export type EmptyPcap = { readonly kind: 'empty' };

/** A file of another format, or what cannot be read, a link for example; the message has its path. */
export type NotPcap = { readonly kind: 'not-pcap'; readonly message: string };

/** Whole records back to back; the bytes are valid until the next run is requested. */
export type RecordRun = {
  readonly records: number;
  /** The offset of the first one in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
};

/** How far a file could be read. `wholeBytes` is the length of its header and whole records. */
export type PcapEnd = {
  readonly records: number;
  readonly wholeBytes: number;
} & (
  | { readonly kind: 'end' }
  /** The file ends inside a record: it is still being written, or its writer was killed. */
  | { readonly kind: 'cut' }
  /** The bytes at `wholeBytes` cannot be a record; nothing after them can be read. */
  | { readonly kind: 'corrupt'; readonly message: string }
);

/**
 * Opens a capture file as openPlainFile does: anything can be in a folder that others may write to. Throws the errors
 * of open(2) and read(2); what is no capture file is a value.
 */
export async function openPcap(path: string): Promise<PcapFile | EmptyPcap | NotPcap> {
  await using opening = new AsyncDisposableStack();
  const opened = await openPlainFile(path);
  if (opened.kind === 'unreadable') return { kind: 'not-pcap', message: `${path} ${opened.why}` };
  const handle = opening.use(opened.handle);
  const { size } = opened.stats;
  const start = new Uint8Array(fileHeaderBytes);
  const filled = await fill(handle, start, 0);
  const parsed = parseHeader(start.subarray(0, filled));
  if (parsed.kind === 'empty') return parsed;
  if (parsed.kind === 'not-pcap') return { kind: 'not-pcap', message: `${path} ${parsed.message}` };

  const { header } = parsed;
  const kept = opening.move();
  const file = { path, handle, header, size };
  const runs: PcapFile['runs'] = (buffer = new Uint8Array(runBufferBytes), from = fileHeaderBytes) =>
    readRuns(file, buffer, from);
  return {
    kind: 'pcap',
    path,
    header,
    firstUs: () => firstUs(file),
    runs,
    records: () => readRecords(runs(), header),
    size: () => file.size,
    async extend() {
      file.size = (await handle.stat()).size;
    },
    deletedBytes: () => (kept.disposed ? Promise.resolve(0) : deletedBytesOf(handle)),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Counts the records of a file, in constant memory. Throws as openPcap does. */
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
  size: number;
};

async function deletedBytesOf(handle: FileHandle): Promise<number> {
  const { nlink, blocks } = await handle.stat();
  return nlink === 0 ? blocks * diskBlockBytes : 0;
}

/** The unit of st_blocks (stat(2)). */
const diskBlockBytes = 512;

async function firstUs(file: OpenFile): Promise<number | undefined> {
  const { handle, header, size } = file;
  const start = new Uint8Array(recordHeaderBytes);
  if ((await fill(handle, start, fileHeaderBytes)) < recordHeaderBytes) return undefined;
  const view = new DataView(start.buffer);
  const bytes = view.getUint32(8, header.byteOrder === 'little');
  if (bytes > maxPacketBytes || fileHeaderBytes + recordHeaderBytes + bytes > size) return undefined;
  const isZero = start.every((byte) => byte === 0);
  return isZero && !(await startsWithRecord(file)) ? undefined : recordTimeUs(view, 0, header);
}

/** What follows decides whether zeros are a record. */
async function startsWithRecord(file: OpenFile): Promise<boolean> {
  const first = await readRuns(file, new Uint8Array(runBufferBytes), fileHeaderBytes).next();
  return first.done !== true;
}

/**
 * Twice the largest record, so that each full read has at least one whole record, unless it is corrupt. A read that is
 * full of zeros has no records, even if something follows it.
 */
export const runBufferBytes = 2 * (maxPacketBytes + recordHeaderBytes);

async function* readRuns(
  { path, handle, header, size }: OpenFile,
  buffer: Uint8Array<ArrayBuffer>,
  from: number,
): AsyncGenerator<RecordRun, PcapEnd> {
  let records = 0;
  let wholeBytes = from;
  for (;;) {
    const wanted = buffer.subarray(0, Math.max(0, size - wholeBytes));
    const filled = await fill(handle, wanted, wholeBytes);
    const scan = scanRecords(wanted.subarray(0, filled), header);
    if (scan.records > 0)
      yield { records: scan.records, offset: wholeBytes, bytes: wanted.subarray(0, scan.wholeBytes) };
    records += scan.records;
    wholeBytes += scan.wholeBytes;
    const isRest = filled < buffer.length;
    if (scan.stop !== 'corrupt') {
      if (isRest) return { kind: scan.stop, records, wholeBytes };
      continue;
    }
    // Zeros that fill the rest of the buffer may be records: what follows them in the file decides.
    if (isRest || scan.records === 0)
      return {
        kind: 'corrupt',
        records,
        wholeBytes,
        message: `${path} has no packet record at byte ${wholeBytes}`,
      };
  }
}

/** Reads until the buffer is full: read(2) can return less than the file has, and only 0 means its end. */
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
