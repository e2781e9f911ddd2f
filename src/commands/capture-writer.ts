import packageJson from '../../package.json' with { type: 'json' };
import type { PacketWriter } from '../pcap/write/packet-writer.ts';
import { pcapWriter } from '../pcap/write/pcap-writer.ts';
import { pcapngWriter } from '../pcap/write/pcapng-writer.ts';
import type { CaptureFormat } from './capture-options.ts';

/** The writer of a format; a pcapng section says which podcap wrote it. */
export function captureWriter(format: CaptureFormat): PacketWriter {
  return format === 'pcap' ? pcapWriter() : pcapngWriter(`podcap ${packageJson.version}`);
}
