import type { CurrentPacket } from '../packet-reader.ts';
import { maxPacketBytes } from '../pcap-format.ts';
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
} from '../pcapng-format.ts';
import { canBeOptions, isPlausiblyCut } from './block-plausibility.ts';
import { marksItsEnd, readInterface, readReceived } from './interface-block.ts';
import type { InterfaceTable, SectionInterface } from './interface-table.ts';
import { isTooLong, longestPacket } from './long-packet.ts';
import { maxPassedBytes, PcapngPassing } from './pcapng-passing.ts';
import { differentLengths, PcapngRecovery, passed, tooMany, wrongLength } from './pcapng-recovery.ts';
import { maxBlockBytes, type ReadBuffer } from './read-buffer.ts';
import { readSectionHeader, sectionHeaderBytes } from './section-header.ts';
import {
  endWith,
  foundPacket,
  isOver,
  needsMore,
  type Walker,
  type WalkerParts,
  type WalkerStep,
} from './walker.ts';

/** Reads the blocks of a pcapng file, which may have several sections, from its first section header on. */
export class PcapngWalker implements Walker {
  readonly #parts: WalkerParts;
  readonly #buffer: ReadBuffer;
  readonly #packet: CurrentPacket;
  readonly #table: InterfaceTable;
  readonly #recovery: PcapngRecovery;
  readonly #passing: PcapngPassing;
  #littleEndian = true;
  /** Whether the blocks of the section cannot be read: its version is unknown. */
  #isForeign = false;
  /** Whether a section header could not be read, and no packet has come since. */
  #isSectionLost = false;
  /** Where a section starts whose writer marks its end with statistics, as long as there are none. */
  #unmarkedSection: number | undefined;

  constructor(parts: WalkerParts) {
    this.#parts = parts;
    this.#buffer = parts.buffer;
    this.#packet = parts.packet;
    this.#table = parts.table;
    this.#recovery = new PcapngRecovery(parts);
    this.#passing = new PcapngPassing(parts, this.#recovery);
  }

  step(): WalkerStep {
    for (;;) {
      const step = this.#next();
      if (step !== passed) return step;
    }
  }

  #next(): WalkerStep | typeof passed {
    if (this.#recovery.isLost) return this.#recovery.search(this.#littleEndian);
    if (this.#passing.isPassing) return this.#passing.go(this.#littleEndian);
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
      length <= maxBlockBytes &&
      (length & 3) === 0 &&
      view.getUint32(at + length - 4, little) === length;
    if (!isWholePacket) return this.#block(type, length);
    return this.#longPacket(this.#table.section[view.getUint32(at + 8, little)], length);
  }

  /** A block of any type, whose length has not been checked. */
  #block(type: number, length: number): WalkerStep | typeof passed {
    if (type === sectionHeaderBlock) return this.#section();
    const { at, filled, view } = this.#buffer;
    const least = minBlockBytes.get(type);
    if (least === undefined) return this.#startPassing(type, length);
    if (type === enhancedPacketBlock && length > maxBlockBytes && (length & 3) === 0)
      return this.#longBlock(length);
    if (length < least || length > maxBlockBytes || (length & 3) !== 0)
      return this.#loseBlock(type, wrongLength(type, length));
    if (filled - at < length) return this.#needs(length, type);
    const second = view.getUint32(at + length - 4, this.#littleEndian);
    if (second !== length) return this.#loseBlock(type, differentLengths(length, second));
    return this.#wholeBlock(type, length);
  }

  /**
   * A lost interface keeps its number: the packets of the next one are not its. And if an interface follows a lost section
   * header, there was a section; otherwise it is only damage inside the one before.
   */
  #loseBlock(type: number, what: string, kind: 'cut' | 'corrupt' = 'corrupt'): WalkerStep | typeof passed {
    if (type === sectionHeaderBlock) this.#isSectionLost = true;
    if (type === interfaceBlock) {
      if (this.#isSectionLost) this.#beginSection();
      if (!this.#table.addUnreadable()) return this.#endWithInterfaces();
    }
    return this.#recovery.lose(what, kind);
  }

  #endWithInterfaces(): WalkerStep {
    const { at, offset } = this.#buffer;
    return endWith(this.#parts, { kind: 'corrupt', offset: offset + at, what: 'too many interfaces' });
  }

  #wholeBlock(type: number, length: number): WalkerStep | typeof passed {
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
  #longPacket(from: SectionInterface | undefined, length: number): WalkerStep | typeof passed {
    const buffer = this.#buffer;
    const { at, view } = buffer;
    const little = this.#littleEndian;
    const captured = view.getUint32(at + 20, little);
    if (from === undefined)
      return this.#recovery.skip(length, 'a packet of an interface that is not described');
    if (captured > maxPacketBytes || captured > length - 32)
      return this.#recovery.skip(length, captured > length - 32 ? tooMany(captured) : isTooLong(captured));
    this.#isSectionLost = false;
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

  /** A packet or options that are too long to be read. The packet is read without options, or passed over. */
  #longBlock(length: number): WalkerStep | typeof passed {
    const buffer = this.#buffer;
    const { at, filled, view } = buffer;
    if (filled - at < 28) return this.#needs(28);
    const from = this.#table.section[view.getUint32(at + 8, this.#littleEndian)];
    const captured = view.getUint32(at + 20, this.#littleEndian);
    const longest = longestPacket(from && this.#table.interfaces[from.index]?.linkType);
    const options = length - 32 - padded(captured);
    if (from === undefined || captured > longest || options < 0 || options > maxPassedBytes)
      return this.#recovery.lose(wrongLength(enhancedPacketBlock, length));
    if (captured > maxPacketBytes) return this.#passing.start(length, isTooLong(captured));
    const read = 28 + padded(captured);
    // With the start of an option, it is no length that is wrong.
    if (filled - at < read + 4) return this.#needs(read + 4);
    const end = at + length - 4;
    if (
      !canBeOptions(view, { from: at + read, end, filled: at + read + 4, littleEndian: this.#littleEndian })
    )
      return this.#recovery.lose(wrongLength(enhancedPacketBlock, length));
    this.#longPacket(from, length);
    this.#packet.optionsBytes = 0;
    buffer.at = at;
    this.#passing.start(length, `a packet with ${options} bytes of options, which are passed over`);
    this.#passing.skip(read);
    return foundPacket;
  }

  /** It has no time, which is the time 0 of its interface, the first one. */
  #simplePacket(length: number): WalkerStep | typeof passed {
    const buffer = this.#buffer;
    const { at, view } = buffer;
    const from = this.#table.section[0];
    if (from === undefined)
      return this.#recovery.skip(length, 'a packet of an interface that is not described');
    const original = view.getUint32(at + 8, this.#littleEndian);
    const captured = from.snaplen === 0 ? original : Math.min(original, from.snaplen);
    if (captured > maxPacketBytes || captured > length - 16)
      return this.#recovery.skip(length, tooMany(captured));
    this.#isSectionLost = false;
    const packet = this.#packet;
    packet.interfaceIndex = from.index;
    from.clock.set(packet, 0, 0);
    packet.capturedBytes = captured;
    packet.originalBytes = original;
    packet.dataAt = at + 12;
    packet.buffer = buffer.bytes;
    packet.view = view;
    packet.optionsBytes = 0;
    buffer.at = at + length;
    return foundPacket;
  }

  #section(): WalkerStep | typeof passed {
    const buffer = this.#buffer;
    const header = readSectionHeader(buffer.view, buffer.at, buffer.filled);
    if (header.kind === 'incomplete') return this.#needs(sectionHeaderBytes);
    if (header.kind === 'corrupt') return this.#loseBlock(sectionHeaderBlock, header.what);
    const { length, littleEndian } = header;
    if (buffer.filled - buffer.at < length) return this.#needs(length, sectionHeaderBlock);
    const second = buffer.view.getUint32(buffer.at + length - 4, littleEndian);
    if (second !== length) return this.#loseBlock(sectionHeaderBlock, differentLengths(length, second));
    this.#endSection();
    this.#littleEndian = littleEndian;
    const { bytes, view, offset } = buffer;
    const options = { from: buffer.at + 24, to: buffer.at + length - 4, littleEndian };
    if (marksItsEnd(bytes, view, options)) this.#unmarkedSection = offset + buffer.at;
    this.#isForeign = header.unknownVersion !== undefined;
    this.#beginSection();
    if (header.unknownVersion !== undefined)
      return this.#recovery.skip(length, `a section of the unknown version ${header.unknownVersion}`);
    buffer.at += length;
    return passed;
  }

  #beginSection(): void {
    this.#isSectionLost = false;
    this.#table.beginSection();
  }

  /** Without interfaces there is nothing to count. */
  #endSection(): void {
    const offset = this.#unmarkedSection;
    this.#unmarkedSection = undefined;
    if (offset === undefined || this.#table.section.length === 0) return;
    const { damages, name } = this.#parts;
    const what =
      'podcap ends this section with statistics, and there are none: it was cut, or another program has rewritten it';
    damages.add(name, { kind: 'unmarked', offset, what });
  }

  #interface(length: number): WalkerStep | typeof passed {
    const { bytes, view } = this.#buffer;
    if (this.#isSectionLost) this.#beginSection();
    const { description, problem } = readInterface(bytes, view, this.#body(length));
    const isAdded = description === undefined ? this.#table.addUnreadable() : this.#table.add(description);
    if (!isAdded) return this.#endWithInterfaces();
    if (problem !== undefined) return this.#recovery.skip(length, problem);
    this.#buffer.at += length;
    return passed;
  }

  #statistics(length: number): void {
    // One that counts nothing keeps a silent stream alive, and is no end of it (serving/keep-alive-block.ts).
    if (length === minBlockBytes.get(statisticsBlock)) return;
    this.#unmarkedSection = undefined;
    const { at, bytes, view } = this.#buffer;
    const from = this.#table.section[view.getUint32(at + 8, this.#littleEndian)];
    if (from !== undefined) this.#table.setReceived(from, readReceived(bytes, view, this.#body(length)));
  }

  #body(length: number): { readonly from: number; readonly to: number; readonly littleEndian: boolean } {
    const { at } = this.#buffer;
    return { from: at + 8, to: at + length - 4, littleEndian: this.#littleEndian };
  }

  /** `type`: of the block that needs them, if that is known. */
  #needs(bytes: number, type = 0): WalkerStep | typeof passed {
    const buffer = this.#buffer;
    const unread = buffer.filled - buffer.at;
    if (!buffer.ended) {
      buffer.wanted = bytes;
      return needsMore;
    }
    if (unread === 0) {
      this.#endSection();
      return isOver;
    }
    const what = `the file ends inside a block, ${unread} bytes after its start`;
    // Its data could look like blocks: only if its length is wrong, there are blocks to look for.
    if (isPlausiblyCut(buffer, this.#littleEndian))
      return endWith(this.#parts, { kind: 'cut', offset: buffer.offset + buffer.at, what });
    return this.#loseBlock(type, what, 'cut');
  }

  /** A block of a type that is not read: it need not fit into the buffer. */
  #startPassing(type: number, length: number): typeof passed {
    if (length < emptyBlockBytes || length > maxPassedBytes || (length & 3) !== 0)
      return this.#recovery.lose(wrongLength(type, length));
    return this.#passing.start(length, undefined);
  }
}
