import type { CaptureInterface } from '../capture-interface.ts';
import type { CurrentPacket, Damage, PacketReader, ReceivedPackets } from '../packet-reader.ts';
import type { OpenedCapture } from '../read/capture-reader.ts';
import { openCaptureStream, type ReaderOptions } from '../read/capture-reader.ts';
import { type PacketOptions, packetOptions } from '../write/packet-options.ts';

/** A packet, copied. */
export type ReadPacket = {
  readonly interfaceIndex: number;
  /** In the units of its interface. */
  readonly time: bigint;
  /** Since 1970. */
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly original: number;
  readonly data: string;
  readonly options: PacketOptions | undefined;
};

/** All of a capture. */
export type ReadCapture = {
  readonly packets: readonly ReadPacket[];
  readonly interfaces: readonly CaptureInterface[];
  readonly damage: readonly Damage[];
  readonly received: readonly (ReceivedPackets | undefined)[];
};

/** Reads an opened capture to its end; throws if it is none. */
export async function readOpened(opened: OpenedCapture): Promise<ReadCapture> {
  if (opened.kind !== 'capture') throw new Error(opened.message);
  await using reader = opened.reader;
  const packets: ReadPacket[] = [];
  for await (const packet of packetsOf(reader)) packets.push(copyOf(packet));
  const { interfaces, damage, received } = reader;
  return { packets, interfaces, damage, received };
}

/** The packets of a reader; each is valid until the next one. */
export async function* packetsOf(reader: PacketReader): AsyncGenerator<CurrentPacket, void> {
  while (await reader.next()) yield reader.packet;
}

/** Reads bytes as a stream in chunks of a size: by default, all at once. */
export async function readBytes(
  bytes: Uint8Array,
  { chunkBytes = Math.max(1, bytes.length), ...options }: ReaderOptions & { chunkBytes?: number } = {},
): Promise<ReadCapture> {
  return await readOpened(
    await openCaptureStream(chunksOf(bytes, chunkBytes), { ...options, name: 'capture' }),
  );
}

/** Why bytes are not a capture. */
export async function problemOf(bytes: Uint8Array): Promise<string | undefined> {
  const opened = await openCaptureStream(chunksOf(bytes, 64), { name: 'capture' });
  if (opened.kind === 'not-capture') return opened.message;
  await using _reader = opened.reader;
  return undefined;
}

export async function* chunksOf(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

function copyOf(packet: CurrentPacket): ReadPacket {
  const { timeHigh, timeLow, seconds, nanoseconds, buffer, dataAt, capturedBytes } = packet;
  return {
    interfaceIndex: packet.interfaceIndex,
    time: (BigInt(timeHigh) << 32n) | BigInt(timeLow),
    seconds,
    nanoseconds,
    original: packet.originalBytes,
    data: Buffer.from(buffer.subarray(dataAt, dataAt + capturedBytes)).toString('latin1'),
    options: packet.optionsBytes === 0 ? undefined : packetOptions(packet),
  };
}
