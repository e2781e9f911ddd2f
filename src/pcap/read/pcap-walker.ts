import type { CurrentPacket } from '../packet-reader.ts';
import { fileHeaderBytes, interfaceOf, maxPacketBytes, recordHeaderBytes } from '../pcap-format.ts';
import { setRecordTime } from '../pcap-record-time.ts';
import type { DetectedFormat } from './capture-format.ts';
import { isTooLong, longestPacket } from './long-packet.ts';
import type { ReadBuffer } from './read-buffer.ts';
import {
  endWith,
  foundPacket,
  isOver,
  needsMore,
  type Walker,
  type WalkerParts,
  type WalkerStep,
} from './walker.ts';

/**
 * Reads the file header, which is in the buffer as a whole, and passes it. Versions are those of wiretap: 2 and later.
 * Undefined after what goes into the message of an error.
 */
export function beginPcap(
  parts: WalkerParts,
  { littleEndian, resolution }: DetectedFormat & { kind: 'pcap' },
): Walker | { readonly what: string } {
  const { buffer, table } = parts;
  const view = buffer.view;
  const at = buffer.at;
  const major = view.getUint16(at + 4, littleEndian);
  const minor = view.getUint16(at + 6, littleEndian);
  const network = view.getUint32(at + 20, littleEndian);
  if (major < 2) return { what: `has the pcap version ${major}.${minor}; only 2.0 and later can be read` };
  if ((network & reservedBits) !== 0)
    return { what: `has the link type 0x${network.toString(16)}, with bits that are reserved` };
  table.beginSection();
  table.add({
    ...interfaceOf({
      linkType: network & 0xffff,
      snaplen: view.getUint32(at + 16, littleEndian),
      resolution,
    }),
    // In units of 16 bits.
    frameCheckBytes: (network & frameCheckBit) === 0 ? undefined : 2 * (network >>> 28),
  });
  buffer.at += fileHeaderBytes;
  return new PcapWalker(parts, {
    littleEndian,
    fractions: resolution === 'us' ? 1_000_000 : 1_000_000_000,
    order: lengthOrder(major, minor),
  });
}

/** The link-type field of draft-ietf-opsawg-pcap, section 4. */
const reservedBits = 0x03ff_0000;
const frameCheckBit = 0x0400_0000;

/**
 * Before version 2.3, and in DG/UX's 543.0, the original length came first. Some wrote 2.3 and the old order: then the
 * smaller one is the captured length (wiretap, libpcap.c).
 */
type LengthOrder = 'captured-first' | 'original-first' | 'smaller-is-captured';

function lengthOrder(major: number, minor: number): LengthOrder {
  if (major === 543 || (major === 2 && minor < 3)) return 'original-first';
  return major === 2 && minor === 3 ? 'smaller-is-captured' : 'captured-first';
}

type RecordFormat = {
  readonly littleEndian: boolean;
  /** Units per second. */
  readonly fractions: number;
  readonly order: LengthOrder;
};

class PcapWalker implements Walker {
  readonly #parts: WalkerParts;
  readonly #buffer: ReadBuffer;
  readonly #packet: CurrentPacket;
  readonly #littleEndian: boolean;
  readonly #fractions: number;
  readonly #order: LengthOrder;
  readonly #interfaceIndex: number;
  readonly #longest: number;
  /** The packet that is being passed over: where it starts and ends, and its bytes. */
  #passing: { readonly offset: number; readonly end: number; readonly captured: number } | undefined;
  /** Records of zeros that have been passed: what follows them decides whether they are packets. They have no content. */
  #heldZeros = 0;
  /** Those of them that are packets. */
  #releasedZeros = 0;
  /** The offset of the last record that was found. */
  #lastRecord = 0;

  constructor(parts: WalkerParts, { littleEndian, fractions, order }: RecordFormat) {
    this.#parts = parts;
    this.#buffer = parts.buffer;
    this.#packet = parts.packet;
    this.#littleEndian = littleEndian;
    this.#fractions = fractions;
    this.#order = order;
    this.#interfaceIndex = parts.table.section[0]?.index ?? 0;
    this.#longest = longestPacket(parts.table.interfaces[this.#interfaceIndex]?.linkType);
  }

  step(): WalkerStep {
    if (this.#passing !== undefined) {
      const step = this.#pass(this.#passing);
      if (step !== foundPacket) return step;
    }
    if (this.#releasedZeros > 0) return this.#zeroPacket();
    const buffer = this.#buffer;
    if (buffer.filled - buffer.at < recordHeaderBytes) return this.#needs(recordHeaderBytes);
    if (buffer.view.getUint32(buffer.at) === 0 || this.#heldZeros > 0) {
      this.#passZeros();
      if (buffer.filled - buffer.at < recordHeaderBytes) return this.#needs(recordHeaderBytes);
      if (this.#heldZeros > 0) return this.#releaseZeros();
    }
    return this.#record();
  }

  #record(): WalkerStep {
    const buffer = this.#buffer;
    const { at, view } = buffer;
    const little = this.#littleEndian;
    const unread = buffer.filled - at;
    const seconds = view.getUint32(at, little);
    const fraction = view.getUint32(at + 4, little);
    let captured = view.getUint32(at + 8, little);
    let original = view.getUint32(at + 12, little);
    if (this.#order !== 'captured-first' && (this.#order === 'original-first' || captured > original)) {
      [captured, original] = [original, captured];
    }
    if (captured > this.#longest)
      return this.#corrupt(`a packet of ${captured} bytes; no packet has more than ${this.#longest}`);
    if (captured > maxPacketBytes) {
      const offset = buffer.offset + at;
      this.#passing = { offset, end: offset + recordHeaderBytes + captured, captured };
      return this.step();
    }
    if (unread < recordHeaderBytes + captured) return this.#needs(recordHeaderBytes + captured);
    const packet = this.#packet;
    packet.interfaceIndex = this.#interfaceIndex;
    setRecordTime(packet, seconds, fraction, this.#fractions);
    packet.originalBytes = original;
    packet.capturedBytes = captured;
    packet.dataAt = at + recordHeaderBytes;
    packet.buffer = buffer.bytes;
    packet.view = view;
    packet.optionsBytes = 0;
    this.#lastRecord = buffer.offset + at;
    buffer.at = at + recordHeaderBytes + captured;
    return foundPacket;
  }

  /** Passes over a packet that is too long to be read. It need not fit into the buffer. */
  #pass({ offset, end, captured }: { offset: number; end: number; captured: number }): WalkerStep {
    const buffer = this.#buffer;
    buffer.at = Math.min(buffer.filled, end - buffer.offset);
    if (buffer.offset + buffer.at < end) {
      buffer.wanted = 1;
      if (!buffer.ended) return needsMore;
      const what = `the file ends inside a packet, ${buffer.offset + buffer.at - offset} bytes after its start`;
      return endWith(this.#parts, { kind: 'cut', offset, what });
    }
    this.#passing = undefined;
    this.#lastRecord = offset;
    const { damages, name } = this.#parts;
    damages.add(name, { kind: 'corrupt', offset, what: isTooLong(captured), resumedAt: end });
    return foundPacket;
  }

  /** A record can be all zero, but what a crash has lost looks the same: only what follows the zeros tells. */
  #passZeros(): void {
    const buffer = this.#buffer;
    const zeros = zerosEnd(buffer.bytes, buffer.at, buffer.filled) - buffer.at;
    const records = Math.floor(zeros / recordHeaderBytes);
    this.#heldZeros += records;
    buffer.at += records * recordHeaderBytes;
  }

  #releaseZeros(): WalkerStep {
    this.#releasedZeros = this.#heldZeros;
    this.#heldZeros = 0;
    this.#lastRecord = this.#buffer.offset + this.#buffer.at - recordHeaderBytes;
    return this.#zeroPacket();
  }

  #zeroPacket(): WalkerStep {
    this.#releasedZeros -= 1;
    const packet = this.#packet;
    packet.interfaceIndex = this.#interfaceIndex;
    setRecordTime(packet, 0, 0, this.#fractions);
    packet.originalBytes = 0;
    packet.capturedBytes = 0;
    packet.dataAt = this.#buffer.at;
    packet.buffer = this.#buffer.bytes;
    packet.view = this.#buffer.view;
    packet.optionsBytes = 0;
    return foundPacket;
  }

  #needs(bytes: number): WalkerStep {
    const buffer = this.#buffer;
    if (!buffer.ended) {
      buffer.wanted = bytes;
      return needsMore;
    }
    const hasMore = buffer.filled > buffer.at || this.#heldZeros > 0;
    if (hasMore && this.#isLostAtEnd() && isZero(buffer.bytes, buffer.at, buffer.filled))
      return this.#corrupt(lostAtEnd);
    if (this.#heldZeros > 0) return this.#releaseZeros();
    if (!hasMore) return isOver;
    const what = `the file ends inside a packet, ${buffer.filled - buffer.at} bytes after its start`;
    return endWith(this.#parts, { kind: 'cut', offset: buffer.offset + buffer.at, what });
  }

  /**
   * Whether a block of the file system starts after the start of the last record. A crashed Node leaves files whose
   * last blocks are zeros.
   */
  #isLostAtEnd(): boolean {
    const { offset, filled } = this.#buffer;
    const lastBlock = (Math.ceil((offset + filled) / fileSystemBlockBytes) - 1) * fileSystemBlockBytes;
    return lastBlock > this.#lastRecord;
  }

  #corrupt(what: string): WalkerStep {
    const { at, offset } = this.#buffer;
    const zeros = this.#heldZeros * recordHeaderBytes;
    return endWith(this.#parts, { kind: 'corrupt', offset: offset + at - zeros, what });
  }
}

const lostAtEnd = 'zeros instead of packets, as after a crash';

/** Of ext4 and xfs. */
const fileSystemBlockBytes = 4096;

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  return zerosEnd(bytes, from, to) === to;
}

/** The first byte that is not zero, or the end. */
function zerosEnd(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] === 0) at += 1;
  return at;
}
