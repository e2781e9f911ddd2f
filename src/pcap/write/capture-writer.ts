import packageJson from '../../../package.json' with { type: 'json' };
import type { PacketWriter } from './packet-writer.ts';
import { pcapWriter } from './pcap-writer.ts';
import { pcapngWriter } from './pcapng-writer.ts';

/** In which format packets are written. */
export type CaptureFormat = 'pcapng' | 'pcap';

/**
 * The writer of a format; a pcapng section says which podcap wrote it, and has the comment. `isFine`: pcap has nanoseconds
 * from the start.
 */
export function captureWriter(
  format: CaptureFormat,
  { isFine = false, comment }: { readonly isFine?: boolean; readonly comment?: string } = {},
): PacketWriter {
  return format === 'pcap'
    ? pcapWriter({ isFine })
    : pcapngWriter(`podcap ${packageJson.version}`, { ...(comment !== undefined && { comment }) });
}
