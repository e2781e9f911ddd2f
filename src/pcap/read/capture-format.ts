import { pcapFormats } from '../pcap-format.ts';

/** What the first bytes of a capture say about its format. `undecided`: there are too few of them. */
export type DetectedFormat =
  | { readonly kind: 'pcap'; readonly littleEndian: boolean; readonly resolution: 'us' | 'ns' }
  | { readonly kind: 'pcapng' }
  | { readonly kind: 'undecided' }
  /** Something else; `what` goes after the path: "is compressed with gzip". */
  | { readonly kind: 'other'; readonly what: string };

/** Detects the format by the magic number, the first four bytes. */
export function detectFormat(bytes: Uint8Array): DetectedFormat {
  const [first, second, third, fourth] = bytes;
  if (first === 0x1f && second === 0x8b) return { kind: 'other', what: compressedWith('gzip') };
  if (first === undefined || second === undefined || third === undefined || fourth === undefined)
    return { kind: 'undecided' };
  const magic = ((first << 24) | (second << 16) | (third << 8) | fourth) >>> 0;
  return formats.get(magic) ?? { kind: 'other', what: foreign(magic) };
}

/** By the magic number as its four bytes are in the file. */
const formats: ReadonlyMap<number, DetectedFormat> = new Map<number, DetectedFormat>([
  [0x0a0d0d0a, { kind: 'pcapng' }],
  ...[...pcapFormats].map(([magic, { byteOrder, resolution }]): [number, DetectedFormat] => [
    magic,
    { kind: 'pcap', littleEndian: byteOrder === 'little', resolution },
  ]),
]);

function foreign(magic: number): string {
  const compression = magic >>> 8 === 0x425a68 ? 'bzip2' : compressions.get(magic);
  if (compression !== undefined) return compressedWith(compression);
  const name = foreignFormats.get(magic);
  const found = name === undefined ? `starts with 0x${magic.toString(16).padStart(8, '0')}` : `is ${name}`;
  return `${found}; only pcap and pcapng can be read (editcap, which comes with Wireshark, converts other formats)`;
}

function compressedWith(name: string): string {
  return `is compressed with ${name}: decompress it first; only pcap and pcapng can be read`;
}

const compressions: ReadonlyMap<number, string> = new Map([
  [0x28b52ffd, 'zstd'],
  [0xfd377a58, 'xz'],
  [0x04224d18, 'lz4'],
]);

/** Formats that Wireshark reads: the magic numbers of wiretap. */
const foreignFormats: ReadonlyMap<number, string> = new Map([
  [0x736e6f6f, 'a snoop file'],
  [0xa1b2cd34, 'a modified pcap file (magic number 0xa1b2cd34)'],
  [0x34cdb2a1, 'a modified pcap file (magic number 0xa1b2cd34)'],
  [0x1c0001ac, 'an Ixia pcap file'],
  [0xac01001c, 'an Ixia pcap file'],
  [0x1c0001ab, 'an Ixia pcap file'],
  [0xab01001c, 'an Ixia pcap file'],
  [0x474d4255, 'a Network Monitor file'],
  [0x52545353, 'a Network Monitor file'],
]);
