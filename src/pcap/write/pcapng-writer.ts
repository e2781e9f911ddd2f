import type { CaptureInterface } from '../capture-interface.ts';
import { addressBytes, addressOption } from '../interface-addresses.ts';
import type { CurrentPacket } from '../packet-reader.ts';
import {
  byteOrderMagic,
  commentOption,
  enhancedPacketBlock,
  interfaceBlock,
  interfaceOption,
  nameRecord,
  nameResolutionBlock,
  padded,
  sectionHeaderBlock,
  sectionOption,
  statisticsBlock,
  statisticsOption,
} from '../pcapng-format.ts';
import { commentPieces } from './comment-pieces.ts';
import { appendPacketOptions } from './packet-options.ts';
import {
  type AddressName,
  type PacketWriter,
  type WrittenStatistics,
  writtenSnaplen,
} from './packet-writer.ts';
import { WriteBuffer } from './write-buffer.ts';

/**
 * Writes one section of pcapng, little endian, without custom blocks: readers show them as packets. `application` is
 * the program and its version; the comment is one of the section.
 */
export function pcapngWriter(
  application: string,
  { comment }: { readonly comment?: string } = {},
): PacketWriter {
  const buffer = new WriteBuffer();
  let interfaces = 0;
  writeSectionHeader(buffer, { application, comment });
  return {
    addInterface: (description) => {
      writeInterface(buffer, description);
      interfaces += 1;
      return interfaces - 1;
    },
    writePacket: (packet, interfaceNumber, droppedBefore) => {
      writePacket(buffer, packet, interfaceNumber);
      appendOptionsOf(buffer, packet, droppedBefore);
      return undefined;
    },
    writeNames: (names) => writeNames(buffer, names),
    end: (statistics) => {
      for (const one of statistics) writeStatistics(buffer, one);
    },
    get pendingBytes() {
      return buffer.at;
    },
    take: () => buffer.take(),
  };
}

function writeSectionHeader(
  buffer: WriteBuffer,
  { application, comment }: { readonly application: string; readonly comment: string | undefined },
): void {
  const start = beginBlock(buffer, sectionHeaderBlock, 16);
  const { view } = buffer;
  view.setUint32(start + 8, byteOrderMagic, true);
  view.setUint16(start + 12, 1, true);
  view.setUint16(start + 14, 0, true);
  // The length of the section: unknown.
  view.setBigInt64(start + 16, -1n, true);
  for (const piece of comment === undefined ? [] : commentPieces(comment)) {
    appendText(buffer, commentOption, piece);
  }
  appendText(buffer, sectionOption.userApplication, application);
  endOptions(buffer);
  endBlock(buffer, start);
}

function writeInterface(buffer: WriteBuffer, description: CaptureInterface): void {
  const { linkType, name, filter, comment, resolution, offsetSeconds, frameCheckBytes } = description;
  const start = beginBlock(buffer, interfaceBlock, 8);
  buffer.view.setUint32(start + 8, linkType, true);
  buffer.view.setUint32(start + 12, writtenSnaplen, true);
  appendText(buffer, commentOption, comment);
  appendText(buffer, interfaceOption.name, name);
  appendText(buffer, interfaceOption.description, description.description);
  for (const address of (description.addresses ?? []).flatMap((each) => addressBytes(each) ?? [])) {
    const code = address.length === 4 ? interfaceOption.ipv4Address : interfaceOption.ipv6Address;
    appendValue(buffer, code, addressOption(address));
  }
  const units = (resolution.base === 2 ? 0x80 : 0) | resolution.exponent;
  appendValue(buffer, interfaceOption.timeResolution, Uint8Array.of(units));
  // A first byte of 0 says that what follows is in libpcap's syntax.
  appendText(buffer, interfaceOption.filter, filter === undefined ? undefined : `\0${filter}`);
  if (frameCheckBytes !== undefined)
    appendValue(buffer, interfaceOption.frameCheckLength, Uint8Array.of(frameCheckBytes));
  if (offsetSeconds !== 0n) appendValue(buffer, interfaceOption.timeOffset, bytesOf(offsetSeconds));
  endOptions(buffer);
  endBlock(buffer, start);
}

/** The block up to its options; leaves space for its second length. */
function writePacket(buffer: WriteBuffer, packet: CurrentPacket, interfaceNumber: number): void {
  const { capturedBytes } = packet;
  const dataBytes = padded(capturedBytes);
  buffer.reserve(32 + dataBytes);
  const { at, view } = buffer;
  view.setUint32(at, enhancedPacketBlock, true);
  view.setUint32(at + 4, 32 + dataBytes, true);
  view.setUint32(at + 8, interfaceNumber, true);
  view.setUint32(at + 12, packet.timeHigh, true);
  view.setUint32(at + 16, packet.timeLow, true);
  view.setUint32(at + 20, capturedBytes, true);
  view.setUint32(at + 24, packet.originalBytes, true);
  // The padding first: the data overwrites the rest of its four bytes.
  view.setUint32(at + 24 + dataBytes, dataBytes === 0 ? packet.originalBytes : 0, true);
  buffer.at = at + 28;
  buffer.appendData(packet);
  buffer.at = at + 28 + dataBytes;
}

function appendOptionsOf(buffer: WriteBuffer, packet: CurrentPacket, droppedBefore: number): void {
  const length = 32 + padded(packet.capturedBytes);
  if (packet.optionsBytes === 0 && droppedBefore === 0) {
    buffer.view.setUint32(buffer.at, length, true);
    buffer.at += 4;
    return;
  }
  const start = buffer.at - (length - 4);
  if (appendPacketOptions(buffer, packet, droppedBefore)) endOptions(buffer);
  endBlock(buffer, start);
}

/** A name resolution block, with one record for each name. */
function writeNames(buffer: WriteBuffer, names: readonly AddressName[]): void {
  const start = beginBlock(buffer, nameResolutionBlock, 0);
  for (const { address, name } of names) {
    const text = encode(name);
    const value = new Uint8Array(address.length + text.length + 1);
    value.set(address);
    value.set(text, address.length);
    appendValue(buffer, address.length === 4 ? nameRecord.ipv4 : nameRecord.ipv6, value);
  }
  appendValue(buffer, nameRecord.end, new Uint8Array(0));
  endBlock(buffer, start);
}

function writeStatistics(buffer: WriteBuffer, statistics: WrittenStatistics): void {
  const { interfaceNumber, start: from, end: to, received, dropped, delivered, comment } = statistics;
  const start = beginBlock(buffer, statisticsBlock, 12);
  buffer.view.setUint32(start + 8, interfaceNumber, true);
  setTime(buffer.view, start + 12, to ?? 0n);
  appendText(buffer, commentOption, comment);
  appendTime(buffer, statisticsOption.startTime, from);
  appendTime(buffer, statisticsOption.endTime, to);
  appendCount(buffer, statisticsOption.received, received);
  appendCount(buffer, statisticsOption.droppedByInterface, dropped);
  appendCount(buffer, statisticsOption.droppedBySystem, statistics.droppedBySystem);
  appendCount(buffer, statisticsOption.delivered, delivered);
  endOptions(buffer);
  endBlock(buffer, start);
}

/** Starts a block whose body has that many fixed bytes, which are zero; returns where it starts. */
function beginBlock(buffer: WriteBuffer, type: number, bodyBytes: number): number {
  buffer.reserve(8 + bodyBytes);
  const start = buffer.at;
  buffer.at = start + 8 + bodyBytes;
  buffer.bytes.fill(0, start, buffer.at);
  buffer.view.setUint32(start, type, true);
  return start;
}

/** Sets both lengths of the block. */
function endBlock(buffer: WriteBuffer, start: number): void {
  buffer.reserve(4);
  const length = buffer.at + 4 - start;
  buffer.view.setUint32(start + 4, length, true);
  buffer.view.setUint32(buffer.at, length, true);
  buffer.at += 4;
}

function endOptions(buffer: WriteBuffer): void {
  buffer.reserve(4);
  buffer.view.setUint32(buffer.at, 0, true);
  buffer.at += 4;
}

function appendText(buffer: WriteBuffer, code: number, text: string | undefined): void {
  if (text !== undefined) appendValue(buffer, code, encode(text));
}

function appendCount(buffer: WriteBuffer, code: number, count: bigint | undefined): void {
  if (count !== undefined) appendValue(buffer, code, bytesOf(count));
}

/** Times have their upper 32 bits first, in every byte order. */
function appendTime(buffer: WriteBuffer, code: number, time: bigint | undefined): void {
  if (time === undefined) return;
  const value = new Uint8Array(8);
  setTime(new DataView(value.buffer), 0, time);
  appendValue(buffer, code, value);
}

function appendValue(buffer: WriteBuffer, code: number, value: Uint8Array): void {
  buffer.reserve(4 + padded(value.length));
  const { at, bytes, view } = buffer;
  view.setUint16(at, code, true);
  view.setUint16(at + 2, value.length, true);
  bytes.fill(0, at + 4, at + 4 + padded(value.length));
  bytes.set(value, at + 4);
  buffer.at = at + 4 + padded(value.length);
}

function setTime(view: DataView, at: number, time: bigint): void {
  view.setUint32(at, Number(BigInt.asUintN(32, time >> 32n)), true);
  view.setUint32(at + 4, Number(BigInt.asUintN(32, time)), true);
}

function bytesOf(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt.asIntN(64, value), true);
  return bytes;
}

/** A text as UTF-8, cut to what an option can hold and never inside a character. */
function encode(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.min(3 * text.length, maxTextBytes));
  return bytes.subarray(0, new TextEncoder().encodeInto(text, bytes).written);
}

/** Less than the 65,535 that an option can hold: a name also has an address, and its end. */
const maxTextBytes = 65_000;
