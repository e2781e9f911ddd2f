import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileHeaderBytes, recordHeaderBytes, serializeHeader } from '../../src/pcap/pcap-format.ts';
import { tcpFrame } from '../../src/pcap/testing/build-packets.ts';
import { lcg } from './statistics.ts';

/** Rings of capture files whose packets are interleaved in time. */
export type RingSpec = {
  readonly rings: number;
  readonly filesPerRing: number;
  readonly fileBytes: number;
  /** The length of each packet. */
  readonly packetBytes: number;
};

export type WrittenRings = {
  readonly paths: readonly string[];
  readonly packets: number;
  /** Of all files. */
  readonly bytes: number;
};

/** Between two packets of a ring, on average. */
const gapUs = 1_000;
const startSeconds = 1_790_000_000;

/** Writes rings as tcpdump does, in files named `pod-000.pcap000`. The times are random, and always the same. */
export async function writeRings(folder: string, spec: RingSpec): Promise<WrittenRings> {
  await mkdir(folder, { recursive: true });
  const { rings, filesPerRing, packetBytes } = spec;
  const packetsPerFile = Math.floor((spec.fileBytes - fileHeaderBytes) / (recordHeaderBytes + packetBytes));
  const bytes = emptyFile(packetsPerFile, packetBytes);
  const random = lcg(1);
  const paths: string[] = [];
  for (let ring = 0; ring < rings; ring += 1) {
    let us = random() * gapUs;
    for (let file = 0; file < filesPerRing; file += 1) {
      us = setTimes(bytes, recordHeaderBytes + packetBytes, us, random);
      const index = filesPerRing === 1 ? '' : String(file).padStart(3, '0');
      const path = join(folder, `pod-${String(ring).padStart(3, '0')}.pcap${index}`);
      await writeFile(path, bytes);
      paths.push(path);
    }
  }
  const files = rings * filesPerRing;
  return { paths, packets: files * packetsPerFile, bytes: files * bytes.length };
}

/** A file of equal packets, all of the same time. */
function emptyFile(packets: number, packetBytes: number): Buffer {
  const headerBytes = tcpFrame({ from: 1, to: 2, flags: 0 }).length;
  const packet = tcpFrame({
    from: 8_080,
    to: 40_000,
    flags: 16,
    payload: new Uint8Array(packetBytes - headerBytes),
  });
  const lengths = Buffer.alloc(recordHeaderBytes);
  lengths.writeUInt32LE(packetBytes, 8);
  lengths.writeUInt32LE(packetBytes, 12);
  const header = serializeHeader({ byteOrder: 'little', resolution: 'us', snaplen: 262_144, linkType: 1 });
  return Buffer.concat([header, ...Array.from({ length: packets }, () => [lengths, packet]).flat()]);
}

/** Sets the times of the packets of a file; returns that of the last one, in microseconds after the start. */
function setTimes(file: Buffer, recordBytes: number, startUs: number, random: () => number): number {
  let us = startUs;
  for (let at = fileHeaderBytes; at < file.length; at += recordBytes) {
    us += 1 + Math.floor(2 * gapUs * random());
    file.writeUInt32LE(startSeconds + Math.floor(us / 1e6), at);
    file.writeUInt32LE(Math.floor(us % 1e6), at + 4);
  }
  return us;
}
