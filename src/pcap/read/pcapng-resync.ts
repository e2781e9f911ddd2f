import {
  emptyBlockBytes,
  enhancedPacketBlock,
  interfaceBlock,
  minBlockBytes,
  sectionHeaderBlock,
} from '../pcapng-format.ts';
import { maxBlockBytes, type ReadBuffer } from './read-buffer.ts';
import { readSectionHeader, sectionHeaderBytes } from './section-header.ts';

/** What is known of the section in which something was damaged. */
export type DamagedSection = {
  readonly littleEndian: boolean;
  /** How many interfaces it has described. */
  readonly interfaces: number;
};

/**
 * Moves the buffer to the next place that can be a block: a section header, a description of an interface or a packet
 * of a known one, whose two lengths are equal. Blocks start at multiples of 4 bytes. The buffer grows to twice the
 * length of what can be a block, so that each byte is moved in memory only once: bytes are moved when half are passed.
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

function wait(buffer: ReadBuffer, wanted: number): 'more' {
  buffer.growTo(2 * wanted);
  buffer.wanted = wanted;
  return 'more';
}

type Candidate = { readonly length: number; readonly littleEndian: boolean };

function candidateAt(
  buffer: ReadBuffer,
  { littleEndian, interfaces }: DamagedSection,
): Candidate | undefined {
  const { at, filled, view } = buffer;
  const type = view.getUint32(at, littleEndian);
  if (type === sectionHeaderBlock) {
    const header = readSectionHeader(view, at, filled);
    if (header.kind === 'incomplete') return { length: sectionHeaderBytes, littleEndian };
    return header.kind === 'header' ? header : undefined;
  }
  if (type !== interfaceBlock && type !== enhancedPacketBlock) return undefined;
  const length = view.getUint32(at + 4, littleEndian);
  if (length < (minBlockBytes.get(type) ?? 0) || length > maxBlockBytes || (length & 3) !== 0)
    return undefined;
  // With the rest of the block, it is looked at again.
  if (type === interfaceBlock || filled - at < 24) return { length, littleEndian };
  const isKnown = view.getUint32(at + 8, littleEndian) < interfaces;
  return isKnown && view.getUint32(at + 20, littleEndian) <= length - 32
    ? { length, littleEndian }
    : undefined;
}
