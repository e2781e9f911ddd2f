import type { PcapFile } from '../../../pcap/pcap-file.ts';
import type { MissingPackets } from './missing-packets.ts';

/** A file that is to be read, and what is missing before it. */
export type QueuedFile = {
  readonly index: number;
  readonly file: PcapFile;
  missing: MissingPackets | undefined;
  /** By when it had as many bytes as are known, by the monotonic clock. */
  sizeMs: number;
};

/** Whether its writer has appended something by now. */
export async function extendQueued(queued: QueuedFile, nowMs: () => number): Promise<boolean> {
  const before = queued.file.size();
  await queued.file.extend();
  if (queued.file.size() === before) return false;
  queued.sizeMs = nowMs();
  return true;
}
