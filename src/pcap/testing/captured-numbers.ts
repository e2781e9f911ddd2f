import { datagramNumber } from '../../testbed/datagrams.ts';
import { udpPayload } from '../../testbed/udp-datagram.ts';
import { openPcap } from '../pcap-file.ts';

/** The numbers of the numbered datagrams in a capture file, in the order of the file. */
export async function capturedNumbers(path: string): Promise<readonly number[]> {
  const opened = await openPcap(path);
  if (opened.kind === 'empty') return [];
  if (opened.kind === 'not-pcap') throw new Error(opened.message);
  await using file = opened;
  const numbers: number[] = [];
  for await (const { data } of file.records()) {
    const datagram = udpPayload(data, file.header.linkType);
    const number = datagram && datagramNumber(datagram.payload);
    if (number !== undefined) numbers.push(number);
  }
  return numbers;
}
