import type { StreamGap } from '../../../api/stream-frames.ts';
import type { PcapFile } from '../../../pcap/pcap-file.ts';
import { fileHeaderBytes } from '../../../pcap/pcap-format.ts';

/** What a follower could not send; `packets` and `bytes` undefined: nobody knows how many. */
export type MissingPackets = {
  readonly reason: StreamGap['reason'];
  readonly packets: number | undefined;
  readonly bytes: number | undefined;
};

/** Both together. The reason is that of the first. Pure. */
export function addMissing(
  a: MissingPackets | undefined,
  b: MissingPackets | undefined,
): MissingPackets | undefined {
  if (!a || !b) return a ?? b;
  return { reason: a.reason, packets: sum(a.packets, b.packets), bytes: sum(a.bytes, b.bytes) };
}

/** As the stream says it. Pure. */
export function gapOf({ reason, packets, bytes }: MissingPackets): StreamGap {
  return { reason, ...(packets !== undefined && { packets }), ...(bytes !== undefined && { bytes }) };
}

/** More than this is not read only to count it. */
const mostCountedBytes = 64_000_000;

/** What a file has that was not read, as far as it is known. */
export async function missingIn(file: PcapFile): Promise<MissingPackets> {
  const bytes = Math.max(0, file.size() - fileHeaderBytes);
  if (bytes > mostCountedBytes) return { reason: 'ReaderTooSlow', packets: undefined, bytes };
  let packets = 0;
  for await (const run of file.runs()) packets += run.records;
  return { reason: 'ReaderTooSlow', packets, bytes };
}

/** What cannot be read: nobody knows how many packets that was. */
export function damaged(bytes: number | undefined): MissingPackets {
  return { reason: 'DamagedFiles', packets: undefined, bytes };
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}
