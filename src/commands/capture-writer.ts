import packageJson from '../../package.json' with { type: 'json' };
import type { PacketWriter } from '../pcap/write/packet-writer.ts';
import { pcapWriter } from '../pcap/write/pcap-writer.ts';
import { pcapngWriter } from '../pcap/write/pcapng-writer.ts';
import type { CaptureFormat } from './capture-options.ts';

/** The writer of a format; a pcapng section says which podcap wrote it. `isFine`: pcap has nanoseconds from the start. */
export function captureWriter(format: CaptureFormat, { isFine = false } = {}): PacketWriter {
  return format === 'pcap' ? pcapWriter({ isFine }) : pcapngWriter(`podcap ${packageJson.version}`);
}
