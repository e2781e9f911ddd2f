import { join } from 'node:path';
import { openPcap } from '../../src/pcap/pcap-file.ts';
import { datagramNumber } from '../../src/testbed/datagrams.ts';
import { udpPayload } from '../../src/testbed/udp-datagram.ts';
import { ringFiles } from './test-cluster.ts';

export type CapturedPacket = {
  readonly generation: number;
  /** As much of it as is in the file, and what it had. */
  readonly capturedBytes: number;
  readonly originalBytes: number;
  /** Undefined for what is no UDP. */
  readonly destination: string | undefined;
  readonly port: number | undefined;
  /** Undefined for what is no numbered datagram. */
  readonly number: number | undefined;
};

/** Every packet in the files of a ring that does not rotate at the moment, in the order of the files. */
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

/** Of the packets those with a number. */
export function numbersOf(packets: readonly CapturedPacket[]): number[] {
  return packets.flatMap(({ number }) => number ?? []);
}
