import { ifExists } from '../../base/fs-errors.ts';
import { serialQueue } from '../../base/serial-queue.ts';
import { openPcap, type PcapFile, runBufferBytes } from '../../pcap/pcap-file.ts';
import { recordHeaderBytes, recordTimeUs } from '../../pcap/pcap-format.ts';
import type { RecordingFile } from './recorded-generations.ts';
import type { Recording } from './recordings.ts';

/** The times of the first and the last packet, in microseconds since 1970; undefined if there is none. */
export type PacketTimes = { readonly firstUs: number; readonly lastUs: number } | undefined;

/** Finds the times of recordings again and again: of a file that grows, only what is new is read. */
export type PacketTimesReader = {
  /** Never rejects: what cannot be read has no packets. */
  readonly of: (recording: Recording) => Promise<PacketTimes>;
  /** Forgets the recordings in all other folders. */
  readonly keepOnly: (folders: ReadonlySet<string>) => void;
};

/** What was read of one file, which had at least so many bytes then. */
type ReadFile = { readonly bytes: number; readonly firstUs: number | undefined; readonly last: ReadEnd };
/** The last record before `wholeBytes`, when the file had so many bytes; undefined if none was read. */
type ReadEnd = { readonly bytes: number; readonly wholeBytes: number; readonly lastUs: number } | undefined;

/** Starts without having read anything. */
export function packetTimesReader(): PacketTimesReader {
  /** By folder and path: of each start, its first file and its last one. */
  const read = new Map<string, ReadonlyMap<string, ReadFile>>();
  // One recording at a time, with one buffer.
  const queue = serialQueue();
  let buffer: Uint8Array<ArrayBuffer> | undefined;

  async function lastOf(pcap: PcapFile, bytes: number, before: ReadEnd): Promise<ReadEnd> {
    buffer ??= new Uint8Array(runBufferBytes);
    const runs = pcap.runs(buffer, before?.wholeBytes);
    let lastUs = before?.lastUs;
    for (;;) {
      const run = await runs.next();
      if (!run.done) lastUs = lastTimeIn(run.value.bytes, pcap);
      else return lastUs === undefined ? undefined : { bytes, wholeBytes: run.value.wholeBytes, lastUs };
    }
  }

  async function readAgain(file: RecordingFile, part: 'first' | 'last', before: ReadFile | undefined) {
    // A file that has become shorter is another one.
    const known = before && before.bytes <= file.bytes ? before : undefined;
    const isRead = part === 'first' ? known?.firstUs !== undefined : known?.last?.bytes === file.bytes;
    if (known && isRead) return known;
    const opened = await ifExists(openPcap(file.path)).catch(() => undefined);
    if (opened?.kind !== 'pcap') return { bytes: file.bytes, firstUs: undefined, last: undefined };
    await using pcap = opened;
    return {
      bytes: file.bytes,
      firstUs: known?.firstUs ?? (await pcap.firstUs()),
      last: part === 'last' ? await lastOf(pcap, file.bytes, known?.last) : known?.last,
    };
  }

  async function timesOf({ folder, generations, frozen }: Recording): Promise<PacketTimes> {
    const before = read.get(folder);
    const now = new Map<string, ReadFile>();
    const look = async (file: RecordingFile, part: 'first' | 'last') => {
      const found = await readAgain(file, part, now.get(file.path) ?? before?.get(file.path));
      now.set(file.path, found);
      return found;
    };
    let [firstUs, lastUs] = [Infinity, -Infinity];
    for (const { files } of [{ generations }, ...frozen].flatMap((ring) => ring.generations)) {
      for (const file of files) {
        const found = (await look(file, 'first')).firstUs;
        firstUs = Math.min(firstUs, found ?? Infinity);
        if (found !== undefined) break;
      }
      for (const file of files.toReversed()) {
        const found = (await look(file, 'last')).last;
        lastUs = Math.max(lastUs, found?.lastUs ?? -Infinity);
        if (found) break;
      }
    }
    read.set(folder, now);
    return firstUs === Infinity || lastUs === -Infinity ? undefined : { firstUs, lastUs };
  }

  return {
    of: (recording) => queue(() => timesOf(recording).catch(() => undefined)),
    keepOnly(folders) {
      for (const folder of read.keys()) if (!folders.has(folder)) read.delete(folder);
    },
  };
}

/** Of whole records, at least one. */
function lastTimeIn(bytes: Uint8Array, { header }: PcapFile): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let lastAt = 0;
  for (let at = 0; at < view.byteLength; ) {
    lastAt = at;
    at += recordHeaderBytes + view.getUint32(at + 8, header.byteOrder === 'little');
  }
  return recordTimeUs(view, lastAt, header);
}
