import {
  emptyBlockBytes,
  enhancedPacketBlock,
  interfaceBlock,
  minBlockBytes,
  oldPacketBlock,
  padded,
  sectionHeaderBlock,
} from './pcapng-format.ts';
import type { ReadBuffer } from './read-buffer.ts';
import { readSectionHeader, sectionHeaderBytes } from './section-header.ts';

/** What is known of the section in which something was damaged. */
export type DamagedSection = {
  readonly littleEndian: boolean;
  /** How many interfaces it has described. */
  readonly interfaces: number;
};

/**
 * Moves the buffer to the next place that can be a block: a section header, a description of an interface or a packet
 * of a known one, whose two lengths are equal. Blocks start at multiples of 4 bytes. One that is longer than half the
 * buffer is not found, so that each byte is moved in memory only once.
 */
export function searchBlock(buffer: ReadBuffer, section: DamagedSection): 'found' | 'more' | 'none' {
  while (buffer.filled - buffer.at >= emptyBlockBytes) {
    const { at, filled } = buffer;
    const candidate = candidateAt(buffer, section);
    if (candidate === undefined) buffer.at += 4;
    else if (at + candidate.length <= filled) {
      const second = buffer.view.getUint32(at + candidate.length - 4, candidate.littleEndian);
      if (second === candidate.length) return 'found';
      buffer.at += 4;
    } else if (buffer.ended) buffer.at += 4;
    else return wait(buffer, candidate.length);
  }
  return buffer.ended ? 'none' : wait(buffer, emptyBlockBytes);
}

/**
 * Whether the block at the end of the file has the length that its packet says, as a block without options has: then
 * the rest of it is missing, and its length is right.
 */
export function isWholePacketLength(buffer: ReadBuffer, littleEndian: boolean): boolean {
  const { at, filled, view } = buffer;
  if (filled - at < 24) return filled - at < emptyBlockBytes;
  const type = view.getUint32(at, littleEndian);
  if (type !== enhancedPacketBlock && type !== oldPacketBlock) return false;
  return view.getUint32(at + 4, littleEndian) === 32 + padded(view.getUint32(at + 20, littleEndian));
}

function wait(buffer: ReadBuffer, wanted: number): 'more' {
  buffer.wanted = wanted;
  return 'more';
}

type Candidate = { readonly length: number; readonly littleEndian: boolean };

function candidateAt(
  buffer: ReadBuffer,
  { littleEndian, interfaces }: DamagedSection,
): Candidate | undefined {
  const { at, filled, view } = buffer;
  const longest = buffer.bytes.length / 2;
  const type = view.getUint32(at, littleEndian);
  if (type === sectionHeaderBlock) {
    const header = readSectionHeader(view, at, filled);
    if (header.kind === 'incomplete') return { length: sectionHeaderBytes, littleEndian };
    return header.kind === 'header' && header.length <= longest ? header : undefined;
  }
  if (type !== interfaceBlock && type !== enhancedPacketBlock) return undefined;
  const length = view.getUint32(at + 4, littleEndian);
  if (length < (minBlockBytes.get(type) ?? 0) || length > longest || (length & 3) !== 0) return undefined;
  // With the rest of the block, it is looked at again.
  if (type === interfaceBlock || filled - at < 24) return { length, littleEndian };
  const isKnown = view.getUint32(at + 8, littleEndian) < interfaces;
  return isKnown && view.getUint32(at + 20, littleEndian) <= length - 32
    ? { length, littleEndian }
    : undefined;
}
