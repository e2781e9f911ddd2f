import { writeFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { joinedPackets } from '../join/join.ts';
import { findOverlap, type Overlap } from '../join/overlap.ts';
import type { Source } from '../join/source.ts';
import { openPcap, type PcapFile } from '../pcap-file.ts';
import {
  interfaceOf,
  type PcapHeader,
  parseHeader,
  recordHeaderBytes,
  recordsIn,
  serializeHeader,
} from '../pcap-format.ts';
import { pcapWriter } from '../write/pcap-writer.ts';

export type TestPacket = {
  readonly timeUs: number;
  readonly data: Uint8Array;
  readonly originalBytes?: number;
};

/** The files of one writer: the packets of each, and how many bytes are cut off the end of the last. */
export type TestSource = {
  readonly files: readonly (readonly TestPacket[])[];
  readonly header?: PcapHeader;
  readonly place?: string;
  readonly interfaceName?: string;
  readonly cutBytes?: number;
};

export const microseconds: PcapHeader = {
  byteOrder: 'little',
  resolution: 'us',
  snaplen: 262_144,
  linkType: 1,
};

/** The bytes of a capture file; a packet longer than the snaplen is cut. */
export function captureFile(packets: readonly TestPacket[], header: PcapHeader = microseconds): Buffer {
  return Buffer.concat([serializeHeader(header), ...packets.map((packet) => record(packet, header))]);
}

function record({ timeUs, data, originalBytes = data.length }: TestPacket, header: PcapHeader): Buffer {
  const kept = data.subarray(0, header.snaplen);
  const fields = Buffer.alloc(recordHeaderBytes);
  const fraction = Math.floor(timeUs % 1_000_000) * (header.resolution === 'us' ? 1 : 1000);
  for (const [at, value] of [Math.floor(timeUs / 1_000_000), fraction, kept.length, originalBytes].entries())
    if (header.byteOrder === 'little') fields.writeUInt32LE(value, at * 4);
    else fields.writeUInt32BE(value, at * 4);
  return Buffer.concat([fields, kept]);
}

/** The result of joining sources. */
export type Joined = {
  readonly bytes: Buffer;
  /** The data of its packets, in order. */
  readonly packets: readonly Buffer[];
  readonly overlap: Overlap;
  readonly damages: readonly string[];
};

/** Writes the sources to disk and joins them. */
export async function joined(sources: readonly TestSource[]): Promise<Joined> {
  await using written = await writeSources(sources);
  return await joinAll(written.sources);
}

/** Joins open sources. */
export async function joinAll(sources: readonly Source[]): Promise<Joined> {
  const overlap = await findOverlap(sources);
  const interfaces = sources.map(({ header }) => interfaceOf(header));
  await using reader = joinedPackets({ sources, overlap, interfaces });
  const writer = pcapWriter();
  for (const description of interfaces) writer.addInterface(description);
  while (await reader.next()) writer.writePacket(reader.packet, reader.packet.interfaceIndex, 0);
  writer.end([]);
  const bytes = Buffer.from(writer.take());
  const damages = reader.damage.map(({ message }) => message);
  const packets = [...recordsIn(bytes.subarray(24), writtenHeader(bytes))].map(({ data }) =>
    Buffer.from(data),
  );
  return { bytes, packets, overlap, damages };
}

function writtenHeader(bytes: Buffer): PcapHeader {
  const parsed = parseHeader(bytes);
  if (parsed.kind !== 'pcap') throw new Error(`what is joined is ${parsed.kind}`);
  return parsed.header;
}

/** Writes the sources into a temporary folder and opens them. */
export async function writeSources(
  sources: readonly TestSource[],
): Promise<AsyncDisposable & { readonly sources: readonly Source[] }> {
  await using opening = new AsyncDisposableStack();
  const folder = opening.use(await temporaryFolder());
  const opened: Source[] = [];
  for (const [index, source] of sources.entries()) {
    const { files, header = microseconds, place = 'eth0', interfaceName = 'eth0', cutBytes = 0 } = source;
    const handles: PcapFile[] = [];
    for (const [at, packets] of files.entries()) {
      const path = joinPath(folder.path, `${index}.pcap${at}`);
      const bytes = captureFile(packets, header);
      const cut = at === files.length - 1 ? Math.min(cutBytes, bytes.length - 24) : 0;
      await writeFile(path, bytes.subarray(0, bytes.length - cut));
      const file = await openPcap(path);
      if (file.kind !== 'pcap') throw new Error(file.kind);
      handles.push(opening.use(file));
    }
    opened.push({ header, place, interfaceName, files: handles });
  }
  const kept = opening.move();
  return { sources: opened, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
