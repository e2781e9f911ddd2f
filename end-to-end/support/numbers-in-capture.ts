import { openCaptureStream } from '../../src/pcap/read/capture-reader.ts';
import { packetsOf } from '../../src/pcap/testing/read-capture.ts';
import { datagramNumber } from '../../src/testbed/datagrams.ts';
import { udpPayload } from '../../src/testbed/udp-datagram.ts';

/** The numbered datagrams of a capture file, as they arrive; throws if the file is damaged or the stream is cut. */
export async function* numbersOfStream(stream: AsyncIterable<Uint8Array>): AsyncGenerator<number, void> {
  const opened = await openCaptureStream(stream, { name: 'capture' });
  if (opened.kind !== 'capture') throw new Error(opened.message);
  await using reader = opened.reader;
  for await (const { interfaceIndex, buffer, dataAt, capturedBytes } of packetsOf(reader)) {
    const linkType = reader.interfaces[interfaceIndex]?.linkType ?? -1;
    const datagram = udpPayload(buffer.subarray(dataAt, dataAt + capturedBytes), linkType);
    const number = datagram && datagramNumber(datagram.payload);
    if (number !== undefined) yield number;
  }
  if (reader.damage.length > 0) throw new Error(`damaged: ${JSON.stringify(reader.damage)}`);
}

/** The numbers of all of its datagrams. */
export async function numbersInCapture(bytes: Uint8Array): Promise<number[]> {
  return await Array.fromAsync(numbersOfStream(oneChunk(bytes)));
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}
