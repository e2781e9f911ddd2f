import type { DecodedPacket } from '../decode/decoded-packet.ts';
import { createDecoder } from '../decode/decoder.ts';
import type { PacketBytes } from '../decode/walk.ts';

/** The packet as a reader has it: in a buffer between others, whose bytes must not be read. */
export function packetOf(bytes: Uint8Array, options: Partial<PacketBytes> = {}): PacketBytes {
  const dataAt = 16;
  const buffer = new Uint8Array(dataAt + bytes.length + 64).fill(0x41);
  buffer.set(bytes, dataAt);
  return {
    buffer,
    dataAt,
    capturedBytes: bytes.length,
    originalBytes: bytes.length,
    interfaceIndex: 0,
    ...options,
  };
}

/** Decodes one packet. */
export function decodeOne(
  bytes: Uint8Array,
  linkType = 1,
  options: Partial<PacketBytes> = {},
): DecodedPacket {
  return createDecoder().decode(packetOf(bytes, options), linkType);
}

/** Decodes packets of one capture, in their order. */
export function decodeAll(frames: readonly Uint8Array[]): readonly DecodedPacket[] {
  const decoder = createDecoder();
  return frames.map((bytes) => decoder.decode(packetOf(bytes), 1));
}
