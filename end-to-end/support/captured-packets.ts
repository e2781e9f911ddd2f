import { join } from 'node:path';
import { openPcap } from '../../src/pcap/pcap-file.ts';
import { datagramNumber } from '../../src/testbed/datagrams.ts';
import { udpPayload } from '../../src/testbed/udp-datagram.ts';
import { ringFiles } from './ring-contents.ts';

/** A packet of a capture file. */
export type CapturedPacket = {
  readonly generation: number;
  /** How much of it is in the file. */
  readonly capturedBytes: number;
  /** How long it was. */
  readonly originalBytes: number;
  /** Undefined if it is not UDP. */
  readonly destination: string | undefined;
  readonly port: number | undefined;
  /** Undefined if it is not a numbered datagram. */
  readonly number: number | undefined;
};

/** Every packet in the files of a folder, in the order of the files; the ring must not rotate meanwhile. */
export async function packetsIn(folder: string): Promise<CapturedPacket[]> {
  const packets: CapturedPacket[] = [];
  for (const { name, generation } of await ringFiles(folder)) {
    const opened = await openPcap(join(folder, name));
    if (opened.kind === 'empty') continue;
    if (opened.kind === 'not-pcap') throw new Error(opened.message);
    await using file = opened;
    for await (const { data, originalBytes } of file.records()) {
      const datagram = udpPayload(data, file.header.linkType);
      packets.push({
        generation,
        capturedBytes: data.length,
        originalBytes,
        destination: datagram?.destination,
        port: datagram?.destinationPort,
        number: datagram && datagramNumber(datagram.payload),
      });
    }
  }
  return packets;
}

/** The numbers of those packets that are numbered datagrams. */
export function numbersOf(packets: readonly CapturedPacket[]): number[] {
  return packets.flatMap(({ number }) => number ?? []);
}
