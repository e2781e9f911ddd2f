import type { CurrentPacket } from '../packet-reader.ts';
import { type BlockOption, commentOption, packetOption, padded, readOptions } from '../pcapng-format.ts';
import type { WriteBuffer } from './write-buffer.ts';

/** What the options of a packet say, as far as people ask for it. */
export type PacketOptions = {
  readonly comments: readonly string[];
  /** epb_flags: direction, reception type, link-layer errors. */
  readonly flags: number | undefined;
  /** How many packets were lost between the previous one of the interface and this one. */
  readonly dropped: number | undefined;
};

/** Reads the options of a packet, up to the first that is longer than its block. */
export function packetOptions(packet: CurrentPacket): PacketOptions {
  const { view } = packet;
  const options = optionsOf(packet);
  const little = packet.optionsAreLittleEndian;
  const flags = options.find(isFlags);
  const dropped = options.find(isDropCount);
  return {
    comments: options
      .filter(({ code }) => code === commentOption)
      .map(({ valueAt, valueBytes }) =>
        new TextDecoder().decode(packet.buffer.subarray(valueAt, valueAt + valueBytes)),
      ),
    flags: flags && view.getUint32(flags.valueAt, little),
    dropped: dropped && Number(view.getBigUint64(dropped.valueAt, little)),
  };
}

/**
 * Appends the comments, flags and drop count of a packet, little endian; `droppedBefore` is added to the drop count.
 * Returns whether there was any.
 */
export function appendPacketOptions(
  buffer: WriteBuffer,
  packet: CurrentPacket,
  droppedBefore: number,
): boolean {
  const { view } = packet;
  const options = optionsOf(packet);
  const little = packet.optionsAreLittleEndian;
  // Each option is written at most once, and a drop count can be new.
  buffer.reserve(packet.optionsBytes + 3 + dropCountBytes);
  const before = buffer.at;
  let dropped = BigInt(droppedBefore);
  for (const option of options) {
    if (option.code === commentOption) appendOption(buffer, packet.buffer, option);
    else if (isFlags(option)) {
      beginOption(buffer, option);
      buffer.view.setUint32(buffer.at, view.getUint32(option.valueAt, little), true);
      buffer.at += 4;
    } else if (isDropCount(option)) dropped += view.getBigUint64(option.valueAt, little);
  }
  if (dropped > 0n) {
    beginOption(buffer, { code: packetOption.dropCount, valueBytes: 8 });
    buffer.view.setBigUint64(buffer.at, dropped, true);
    buffer.at += 8;
  }
  return buffer.at > before;
}

const dropCountBytes = 12;

function optionsOf({ view, optionsAt, optionsBytes, optionsAreLittleEndian: littleEndian }: CurrentPacket) {
  return readOptions(view, { from: optionsAt, to: optionsAt + optionsBytes, littleEndian }).options;
}

function isFlags({ code, valueBytes }: BlockOption): boolean {
  return code === packetOption.flags && valueBytes === 4;
}

function isDropCount({ code, valueBytes }: BlockOption): boolean {
  return code === packetOption.dropCount && valueBytes === 8;
}

function beginOption(
  buffer: WriteBuffer,
  { code, valueBytes }: Pick<BlockOption, 'code' | 'valueBytes'>,
): void {
  buffer.view.setUint16(buffer.at, code, true);
  buffer.view.setUint16(buffer.at + 2, valueBytes, true);
  buffer.at += 4;
}

function appendOption(buffer: WriteBuffer, source: Uint8Array, option: BlockOption): void {
  beginOption(buffer, option);
  const end = buffer.at + padded(option.valueBytes);
  buffer.bytes.fill(0, buffer.at, end);
  buffer.bytes.set(source.subarray(option.valueAt, option.valueAt + option.valueBytes), buffer.at);
  buffer.at = end;
}
