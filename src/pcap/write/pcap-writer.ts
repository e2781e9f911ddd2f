import type { CaptureInterface } from '../capture-interface.ts';
import { linkTypeName } from '../link-type-name.ts';
import type { CurrentPacket } from '../packet-reader.ts';
import { fileHeaderBytes, recordHeaderBytes, serializeHeader } from '../pcap-format.ts';
import { type PacketWriter, type WriteProblem, writtenSnaplen } from './packet-writer.ts';
import { WriteBuffer } from './write-buffer.ts';

/**
 * Writes pcap, little endian, with nanoseconds if `isFine`, or if one of the interfaces that are added before the first
 * packet has finer times than microseconds; times are rounded down. All interfaces need one link type, and the seconds 32 bits; one
 * that is added later must fit the header that is written.
 */
export function pcapWriter({ isFine = false } = {}): PacketWriter {
  const buffer = new WriteBuffer();
  const interfaces: CaptureInterface[] = [];
  let resolution: 'us' | 'ns' | undefined;
  let frameCheckBytes: number | undefined;
  const begin = () => {
    resolution = isFine || interfaces.some(isFinerThanMicroseconds) ? 'ns' : 'us';
    frameCheckBytes = commonFrameCheckBytes(interfaces);
    writeHeader(buffer, { linkType: interfaces[0]?.linkType, frameCheckBytes, resolution });
  };
  return {
    addInterface: (description) => {
      const first = interfaces[0] ?? description;
      if (first.linkType !== description.linkType) return linkTypesDiffer(first, description);
      if (resolution === 'us' && isFinerThanMicroseconds(description)) return resolutionTooLate(description);
      if (frameCheckBytes !== undefined && description.frameCheckBytes !== frameCheckBytes)
        return frameChecksDiffer(first, description);
      interfaces.push(description);
      return interfaces.length - 1;
    },
    writePacket: (packet) => {
      const { seconds } = packet;
      if (seconds < 0 || seconds > 0xffff_ffff) return timeOutOfRange(seconds);
      if (resolution === undefined) begin();
      writeRecord(buffer, packet, resolution === 'us' ? 1000 : 1);
      return undefined;
    },
    writeNames: () => {},
    end: () => {
      if (resolution === undefined) begin();
    },
    get pendingBytes() {
      return buffer.at;
    },
    take: () => buffer.take(),
  };
}

/** Whether the times of its packets would be rounded to microseconds. */
export function isFinerThanMicroseconds({ resolution: { base, exponent } }: CaptureInterface): boolean {
  return base === 10 ? exponent > 6 : exponent > 0;
}

/** Undefined unless all interfaces have the same. */
function commonFrameCheckBytes(interfaces: readonly CaptureInterface[]): number | undefined {
  const bytes = interfaces[0]?.frameCheckBytes;
  return interfaces.every((one) => one.frameCheckBytes === bytes) ? bytes : undefined;
}

type HeaderFields = {
  /** Without an interface there are no packets, and any link type will do. */
  readonly linkType: number | undefined;
  readonly frameCheckBytes: number | undefined;
  readonly resolution: 'us' | 'ns';
};

function writeHeader(buffer: WriteBuffer, fields: HeaderFields): void {
  const { linkType = 1, frameCheckBytes, resolution } = fields;
  const upperBits = frameCheckBytes === undefined ? 0 : frameCheckBits(frameCheckBytes);
  buffer.reserve(fileHeaderBytes);
  buffer.bytes.set(
    serializeHeader({
      byteOrder: 'little',
      resolution,
      snaplen: writtenSnaplen,
      linkType: (linkType | upperBits) >>> 0,
    }),
    buffer.at,
  );
  buffer.at += fileHeaderBytes;
}

/** The length of the frame check sequence in units of 16 bits, and that it is there. */
function frameCheckBits(frameCheckBytes: number): number {
  return (Math.min(frameCheckBytes >>> 1, 15) << 28) | 0x0400_0000;
}

function writeRecord(buffer: WriteBuffer, packet: CurrentPacket, unitNanoseconds: number): void {
  buffer.reserve(recordHeaderBytes + packet.capturedBytes);
  const { at, view } = buffer;
  view.setUint32(at, packet.seconds, true);
  view.setUint32(at + 4, Math.floor(packet.nanoseconds / unitNanoseconds), true);
  view.setUint32(at + 8, packet.capturedBytes, true);
  view.setUint32(at + 12, packet.originalBytes, true);
  buffer.at = at + recordHeaderBytes;
  buffer.appendData(packet);
}

function linkTypesDiffer(first: CaptureInterface, second: CaptureInterface): WriteProblem {
  return {
    reason: 'LinkTypesDiffer',
    message: `pcap has one link type for all packets, but ${described(first)} and ${described(second)}: write pcapng`,
  };
}

function resolutionTooLate({ name }: CaptureInterface): WriteProblem {
  return {
    reason: 'ResolutionTooLate',
    message: `the pcap file has times in microseconds, and ${named(name)}, described after its first packet, has finer ones: write pcapng`,
  };
}

function frameChecksDiffer(first: CaptureInterface, second: CaptureInterface): WriteProblem {
  return {
    reason: 'FrameChecksDiffer',
    message: `the header of the pcap file says for all packets that ${withCheck(first)}, but ${withCheck(second)}: write pcapng`,
  };
}

function withCheck({ name, frameCheckBytes }: CaptureInterface): string {
  const length = frameCheckBytes === undefined ? 'no known length' : `${frameCheckBytes} bytes`;
  return `the frame check sequence of ${named(name)} has ${length}`;
}

function named(name: string | undefined): string {
  return name === undefined ? 'one interface' : name;
}

function described({ name, linkType }: CaptureInterface): string {
  return `${named(name)} has ${linkTypeName(linkType)}`;
}

function timeOutOfRange(seconds: number): WriteProblem {
  return {
    reason: 'TimeOutOfRange',
    message: `pcap has times from 1970 to 2106, but a packet has ${seconds} s since 1970: write pcapng`,
  };
}
