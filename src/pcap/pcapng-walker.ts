import { isPlausiblyCut } from './block-plausibility.ts';
import { readInterface, readReceived } from './interface-block.ts';
import type { InterfaceTable, SectionInterface } from './interface-table.ts';
import type { CurrentPacket } from './packet-reader.ts';
import { maxPacketBytes } from './pcap-format.ts';
import {
  emptyBlockBytes,
  enhancedPacketBlock,
  interfaceBlock,
  minBlockBytes,
  oldPacketBlock,
  padded,
  sectionHeaderBlock,
  simplePacketBlock,
  statisticsBlock,
} from './pcapng-format.ts';
import { PcapngRecovery, passed } from './pcapng-recovery.ts';
import { maxBlockBytes, type ReadBuffer } from './read-buffer.ts';
import { readSectionHeader, sectionHeaderBytes } from './section-header.ts';
import {
  endWith,
  foundPacket,
  isOver,
  needsMore,
  type Step,
  type Walker,
  type WalkerParts,
} from './walker.ts';

/** Reads the blocks of a pcapng file, which may have several sections, from its first section header on. */
export class PcapngWalker implements Walker {
  readonly #parts: WalkerParts;
  readonly #buffer: ReadBuffer;
  readonly #packet: CurrentPacket;
  readonly #table: InterfaceTable;
  readonly #recovery: PcapngRecovery;
  #littleEndian = true;
  /** Whether the blocks of the section cannot be read: its version is unknown. */
  #isForeign = false;
  /** The block of another type that is being passed, and how many of its bytes are left. */
  #passing: { readonly offset: number; readonly length: number; left: number } | undefined;

  constructor(parts: WalkerParts) {
    this.#parts = parts;
    this.#buffer = parts.buffer;
    this.#packet = parts.packet;
    this.#table = parts.table;
    this.#recovery = new PcapngRecovery(parts);
  }

  step(): Step {
    for (;;) {
      const step = this.#next();
      if (step !== passed) return step;
    }
  }

  #next(): Step | typeof passed {
    if (this.#recovery.isLost) return this.#recovery.search(this.#littleEndian);
    if (this.#passing !== undefined) return this.#pass(this.#passing);
    const buffer = this.#buffer;
    const { at, view } = buffer;
    const unread = buffer.filled - at;
    if (unread < emptyBlockBytes) return this.#needs(emptyBlockBytes);
    const little = this.#littleEndian;
    const type = view.getUint32(at, little);
    const length = view.getUint32(at + 4, little);
    if (this.#isForeign && type !== sectionHeaderBlock) return this.#startPassing(type, length);
    const isWholePacket =
      type === enhancedPacketBlock &&
      length >= 32 &&
      length <= unread &&
      (length & 3) === 0 &&
      view.getUint32(at + length - 4, little) === length;
    if (!isWholePacket) return this.#block(type, length);
    return this.#longPacket(this.#table.section[view.getUint32(at + 8, little)], length);
  }

  /** A block of any type, whose length has not been checked. */
  #block(type: number, length: number): Step | typeof passed {
    if (type === sectionHeaderBlock) return this.#section();
    const { at, filled, view } = this.#buffer;
    const least = minBlockBytes.get(type);
    if (least === undefined) return this.#startPassing(type, length);
    if (length < least || length > maxBlockBytes || (length & 3) !== 0)
      return this.#recovery.lose(wrongLength(type, length));
    if (filled - at < length) return this.#needs(length);
    const second = view.getUint32(at + length - 4, this.#littleEndian);
    if (second !== length) return this.#recovery.lose(differentLengths(length, second));
    return this.#wholeBlock(type, length);
  }

  #wholeBlock(type: number, length: number): Step | typeof passed {
    const { at, view } = this.#buffer;
    const { section } = this.#table;
    if (type === simplePacketBlock) return this.#simplePacket(length);
    // The enhanced one has been recognized before.
    if (type === oldPacketBlock)
      return this.#longPacket(section[view.getUint16(at + 8, this.#littleEndian)], length);
    if (type === interfaceBlock) return this.#interface(length);
    if (type === statisticsBlock) this.#statistics(length);
    this.#buffer.at += length;
    return passed;
  }

  /** The Enhanced Packet Block and the older Packet Block have the same fields in the same places, but the first. */
  #longPacket(from: SectionInterface | undefined, length: number): Step | typeof passed {
    const buffer = this.#buffer;
    const { at, view } = buffer;
    const little = this.#littleEndian;
    const captured = view.getUint32(at + 20, little);
    if (from === undefined)
      return this.#recovery.skip(length, 'a packet of an interface that is not described');
    if (captured > maxPacketBytes || captured > length - 32)
      return this.#recovery.skip(length, tooMany(captured));
    const packet = this.#packet;
    packet.interfaceIndex = from.index;
    from.clock.set(packet, view.getUint32(at + 12, little), view.getUint32(at + 16, little));
    packet.capturedBytes = captured;
    packet.originalBytes = view.getUint32(at + 24, little);
    packet.dataAt = at + 28;
    packet.buffer = buffer.bytes;
    packet.view = view;
    packet.optionsAt = at + 28 + padded(captured);
    packet.optionsBytes = at + length - 4 - packet.optionsAt;
    packet.optionsAreLittleEndian = little;
    buffer.at = at + length;
    return foundPacket;
  }

  /** It has no time, and belongs to the first interface. */
  #simplePacket(length: number): Step | typeof passed {
    const buffer = this.#buffer;
    const { at, view } = buffer;
    const from = this.#table.section[0];
    if (from === undefined)
      return this.#recovery.skip(length, 'a packet of an interface that is not described');
    const original = view.getUint32(at + 8, this.#littleEndian);
    const captured = from.snaplen === 0 ? original : Math.min(original, from.snaplen);
    if (captured > maxPacketBytes || captured > length - 16)
      return this.#recovery.skip(length, tooMany(captured));
    const packet = this.#packet;
    packet.interfaceIndex = from.index;
    packet.timeHigh = 0;
    packet.timeLow = 0;
    packet.seconds = 0;
    packet.nanoseconds = 0;
    packet.capturedBytes = captured;
    packet.originalBytes = original;
    packet.dataAt = at + 12;
    packet.buffer = buffer.bytes;
    packet.view = view;
    packet.optionsBytes = 0;
    buffer.at = at + length;
    return foundPacket;
  }

  #section(): Step | typeof passed {
    const buffer = this.#buffer;
    const header = readSectionHeader(buffer.view, buffer.at, buffer.filled);
    if (header.kind === 'incomplete') return this.#needs(sectionHeaderBytes);
    if (header.kind === 'corrupt') return this.#recovery.lose(header.what);
    const { length, littleEndian } = header;
    if (buffer.filled - buffer.at < length) return this.#needs(length);
    const second = buffer.view.getUint32(buffer.at + length - 4, littleEndian);
    if (second !== length) return this.#recovery.lose(differentLengths(length, second));
    this.#littleEndian = littleEndian;
    this.#isForeign = header.unknownVersion !== undefined;
    this.#table.beginSection();
    if (header.unknownVersion !== undefined)
      return this.#recovery.skip(length, `a section of the unknown version ${header.unknownVersion}`);
    buffer.at += length;
    return passed;
  }

  #interface(length: number): Step | typeof passed {
    const { at, bytes, view, offset } = this.#buffer;
    const { description, problem } = readInterface(bytes, view, this.#body(length));
    const isAdded = description === undefined ? this.#table.addUnreadable() : this.#table.add(description);
    if (!isAdded)
      return endWith(this.#parts, { kind: 'corrupt', offset: offset + at, what: 'too many interfaces' });
    if (problem !== undefined) return this.#recovery.skip(length, problem);
    this.#buffer.at += length;
    return passed;
  }

  #statistics(length: number): void {
    const { at, view } = this.#buffer;
    const from = this.#table.section[view.getUint32(at + 8, this.#littleEndian)];
    if (from !== undefined) this.#table.setReceived(from, readReceived(view, this.#body(length)));
  }

  #body(length: number): { readonly from: number; readonly to: number; readonly littleEndian: boolean } {
    const { at } = this.#buffer;
    return { from: at + 8, to: at + length - 4, littleEndian: this.#littleEndian };
  }

  #needs(bytes: number): Step | typeof passed {
    const buffer = this.#buffer;
    const unread = buffer.filled - buffer.at;
    if (!buffer.ended) {
      buffer.wanted = bytes;
      return needsMore;
    }
    if (unread === 0) return isOver;
    const what = `the file ends inside a block, ${unread} bytes after its start`;
    // Its data could look like blocks: only if its length is wrong, there are blocks to look for.
    if (isPlausiblyCut(buffer, this.#littleEndian))
      return endWith(this.#parts, { kind: 'cut', offset: buffer.offset + buffer.at, what });
    return this.#recovery.lose(what, 'cut');
  }

  /** A block of a type that is not read: it need not fit into the buffer. */
  #startPassing(type: number, length: number): typeof passed {
    if (length < emptyBlockBytes || length > maxPassedBytes || (length & 3) !== 0)
      return this.#recovery.lose(wrongLength(type, length));
    this.#passing = { offset: this.#buffer.offset + this.#buffer.at, length, left: length };
    return passed;
  }

  #pass(passing: { readonly offset: number; readonly length: number; left: number }): Step | typeof passed {
    const buffer = this.#buffer;
    const step = Math.min(passing.left - 4, buffer.filled - buffer.at);
    buffer.at += step;
    passing.left -= step;
    const { offset, length } = passing;
    if (passing.left > 4 || buffer.filled - buffer.at < 4) {
      buffer.wanted = 4;
      if (!buffer.ended) return needsMore;
      return endWith(this.#parts, { kind: 'cut', offset, what: 'the file ends inside a block' });
    }
    this.#passing = undefined;
    const second = buffer.view.getUint32(buffer.at, this.#littleEndian);
    if (second !== length) this.#recovery.loseAt(offset, differentLengths(length, second));
    else buffer.at += 4;
    return passed;
  }
}

/** A longer block of a type that is not read is taken for damage: wiretap reads no block that is longer. */
const maxPassedBytes = 16 * 1024 * 1024;

function wrongLength(type: number, length: number): string {
  return `no block of type ${type} can have ${length} bytes`;
}

function differentLengths(first: number, second: number): string {
  return `a block with two different lengths, ${first} and ${second}`;
}

function tooMany(captured: number): string {
  return `a packet of ${captured} bytes, more than its block or any packet has`;
}
