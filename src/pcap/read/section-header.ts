import { byteOrderMagic } from '../pcapng-format.ts';
import { maxBlockBytes } from './read-buffer.ts';

export type SectionHeader =
  | {
      readonly kind: 'header';
      readonly littleEndian: boolean;
      /** Of the block. */
      readonly length: number;
      /** "2.0", if its blocks may differ from those that we know. */
      readonly unknownVersion: string | undefined;
    }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'corrupt'; readonly what: string };

/** A section header block without options. */
export const sectionHeaderBytes = 28;

/** Reads a section header block at `at`. Of its body, only the byte order and the version matter. */
export function readSectionHeader(view: DataView, at: number, filled: number): SectionHeader {
  if (filled - at < sectionHeaderBytes) return { kind: 'incomplete' };
  const littleEndian = view.getUint32(at + 8, true) === byteOrderMagic;
  if (!littleEndian && view.getUint32(at + 8) !== byteOrderMagic)
    return { kind: 'corrupt', what: 'a section header without a byte order' };
  const length = view.getUint32(at + 4, littleEndian);
  if (length < sectionHeaderBytes || length > maxBlockBytes || (length & 3) !== 0)
    return { kind: 'corrupt', what: `no section header can have ${length} bytes` };
  const major = view.getUint16(at + 12, littleEndian);
  const minor = view.getUint16(at + 14, littleEndian);
  // 1.2 was written by some and means the same (libpcap, sf-pcapng.c).
  const isKnown = major === 1 && (minor === 0 || minor === 2);
  return { kind: 'header', littleEndian, length, unknownVersion: isKnown ? undefined : `${major}.${minor}` };
}
