import {
  emptyBlockBytes,
  endOfOptions,
  enhancedPacketBlock,
  interfaceBlock,
  minBlockBytes,
  padded,
  sectionHeaderBlock,
  simplePacketBlock,
  statisticsBlock,
} from '../pcapng-format.ts';
import { maxPassedBytes } from './pcapng-passing.ts';
import { maxBlockBytes, type ReadBuffer } from './read-buffer.ts';
import { sectionHeaderBytes } from './section-header.ts';

/**
 * Whether the block that the file ends in can be as long as it says: then the rest of it is missing, and nothing that
 * its data look like is a block. As far as they are there, options must follow its fixed part and its data: where the
 * length is wrong, the next block does, and its start does not look like options.
 */
export function isPlausiblyCut(buffer: ReadBuffer, littleEndian: boolean): boolean {
  const { at, filled, view } = buffer;
  if (filled - at < emptyBlockBytes) return true;
  const type = view.getUint32(at, littleEndian);
  const length = view.getUint32(at + 4, littleEndian);
  const least = type === sectionHeaderBlock ? sectionHeaderBytes : minBlockBytes.get(type);
  const most = type === enhancedPacketBlock ? maxPassedBytes : maxBlockBytes;
  if (least === undefined || length < least || length > most || (length & 3) !== 0) return false;
  // Without options, but cut at the snaplen.
  if (type === simplePacketBlock) return length - 16 < view.getUint32(at + 8, littleEndian) + 4;
  const from = optionsFrom(buffer, type, littleEndian);
  if (from === undefined) return true;
  return canBeOptions(view, { from, end: at + length - 4, filled, littleEndian });
}

type CutOptions = {
  readonly from: number;
  /** Where the second length of the block is. */
  readonly end: number;
  readonly filled: number;
  readonly littleEndian: boolean;
};

/** Whether what is there of the options of a block can be options, and can have the place that they have. */
export function canBeOptions(view: DataView, { from, end, filled, littleEndian }: CutOptions): boolean {
  let at = from;
  while (at + 4 <= Math.min(filled, end)) {
    const code = view.getUint16(at, littleEndian);
    const valueBytes = view.getUint16(at + 2, littleEndian);
    at += 4 + padded(valueBytes);
    if (code === endOfOptions) return valueBytes === 0 && at === end;
    if (code > lastCode && code < customCodes && !customOptions.has(code)) return false;
  }
  return at <= end;
}

/** Where the options of the block start, or its second length; undefined if too little of it is there. */
function optionsFrom({ at, filled, view }: ReadBuffer, type: number, little: boolean): number | undefined {
  const fixed = fixedBytes.get(type);
  if (fixed !== undefined) return at + fixed;
  if (filled - at < 24) return undefined;
  const captured = view.getUint32(at + 20, little);
  return captured > maxPassedBytes ? Number.POSITIVE_INFINITY : at + 28 + padded(captured);
}

/** The bytes before the options of blocks without data. */
const fixedBytes: ReadonlyMap<number, number> = new Map([
  [sectionHeaderBlock, 24],
  [interfaceBlock, 16],
  [statisticsBlock, 20],
]);

/** if_iana_tzname: the largest code of draft-ietf-opsawg-pcapng. The least length of a packet is larger. */
const lastCode = 18;
const customOptions: ReadonlySet<number> = new Set([2988, 2989, 19_372, 19_373]);
const customCodes = 0x8000;
