import { type CaptureInterface, microseconds, nanoseconds } from './capture-interface.ts';

/** The header of a capture file, as far as reading its records needs it. */
export type PcapHeader = {
  readonly byteOrder: 'little' | 'big';
  readonly resolution: 'us' | 'ns';
  /** The most bytes that the writer kept of a packet. */
  readonly snaplen: number;
  /** LINKTYPE_ value, tcpdump.org/linktypes.html: 1 is Ethernet. */
  readonly linkType: number;
};

export type PacketRecord = {
  /** Nanoseconds since 1970. */
  readonly timestampNs: bigint;
  /** The length of the packet on the wire; `data` is the captured part. */
  readonly originalBytes: number;
  readonly data: Uint8Array;
};

/** The start of a file, parsed. `empty`: the header is not complete yet. */
export type ParsedHeader =
  | { readonly kind: 'pcap'; readonly header: PcapHeader }
  | { readonly kind: 'empty' }
  | { readonly kind: 'not-pcap'; readonly message: string };

/** The whole records at the start of some bytes, and why there are no more. */
export type RecordScan = {
  readonly records: number;
  readonly wholeBytes: number;
  /** `end`: nothing follows. `cut`: part of a record follows. `corrupt`: what follows cannot be a record. */
  readonly stop: 'end' | 'cut' | 'corrupt';
};

/** The interface of a pcap file, as far as its header says it. */
export function interfaceOf({
  linkType,
  snaplen,
  resolution,
}: Omit<PcapHeader, 'byteOrder'>): CaptureInterface {
  return {
    linkType,
    snaplen,
    resolution: resolution === 'us' ? microseconds : nanoseconds,
    offsetSeconds: 0n,
    name: undefined,
    description: undefined,
    filter: undefined,
    comment: undefined,
  };
}

export const fileHeaderBytes = 24;
export const recordHeaderBytes = 16;

/** MAXIMUM_SNAPLEN of libpcap (pcap-int.h): no known writer keeps more of a packet. */
export const maxPacketBytes = 262_144;

/** Reads the file header of draft-ietf-opsawg-pcap, section 4, in either byte order. */
export function parseHeader(bytes: Uint8Array): ParsedHeader {
  if (bytes.length < 4) return { kind: 'empty' };
  const view = viewOf(bytes);
  const format = pcapFormats.get(view.getUint32(0));
  if (format === undefined) return { kind: 'not-pcap', message: describe(view.getUint32(0)) };
  if (bytes.length < fileHeaderBytes) return { kind: 'empty' };
  const little = format.byteOrder === 'little';
  // The upper bits of the last field are the length of the frame check sequence.
  const linkType = view.getUint32(20, little) & 0x03ff_ffff;
  return { kind: 'pcap', header: { ...format, snaplen: view.getUint32(16, little), linkType } };
}

/** The file header of format version 2.4, as parseHeader reads it. */
export function serializeHeader({ byteOrder, resolution, snaplen, linkType }: PcapHeader): Uint8Array {
  const bytes = new Uint8Array(fileHeaderBytes);
  const view = viewOf(bytes);
  const little = byteOrder === 'little';
  view.setUint32(0, resolution === 'us' ? 0xa1b2c3d4 : 0xa1b23c4d, little);
  view.setUint16(4, 2, little);
  view.setUint16(6, 4, little);
  view.setUint32(16, snaplen, little);
  view.setUint32(20, linkType, little);
  return bytes;
}

/** Whether records of a file with one header are valid as they are in a file with the other. */
export function hasSameRecords(a: PcapHeader, b: PcapHeader): boolean {
  return a.byteOrder === b.byteOrder && a.resolution === b.resolution;
}

/** Rewrites whole records in place, from the byte order and resolution of one header to those of another. */
export function convertRecords(bytes: Uint8Array, from: PcapHeader, to: PcapHeader): void {
  const view = viewOf(bytes);
  const fromLittle = from.byteOrder === 'little';
  const toLittle = to.byteOrder === 'little';
  for (let at = 0; at < bytes.length; ) {
    const next = at + recordHeaderBytes + view.getUint32(at + 8, fromLittle);
    const fraction = view.getUint32(at + 4, fromLittle);
    for (const field of [at, at + 8, at + 12])
      view.setUint32(field, view.getUint32(field, fromLittle), toLittle);
    view.setUint32(at + 4, convertFraction(fraction, from.resolution, to.resolution), toLittle);
    at = next;
  }
}

/** The time of the record at `at`, in microseconds since 1970, with a fraction. A number: it is compared often. */
export function recordTimeUs(view: DataView, at: number, { byteOrder, resolution }: PcapHeader): number {
  const little = byteOrder === 'little';
  const fraction = view.getUint32(at + 4, little);
  return view.getUint32(at, little) * 1_000_000 + (resolution === 'us' ? fraction : fraction / 1000);
}

/**
 * Counts the whole records at the start of `bytes`, which start with a record. Allocates nothing per packet. A record
 * can be empty, and even all zero; but zeros up to the end of `bytes` are what a crashed Node leaves, not records.
 */
export function scanRecords(bytes: Uint8Array, { byteOrder }: PcapHeader): RecordScan {
  const view = viewOf(bytes);
  const little = byteOrder === 'little';
  const zerosFrom = finalZerosFrom(bytes);
  let records = 0;
  let at = 0;
  while (at + recordHeaderBytes <= bytes.length) {
    const capturedBytes = view.getUint32(at + 8, little);
    if (capturedBytes > maxPacketBytes || at >= zerosFrom)
      return { records, wholeBytes: at, stop: 'corrupt' };
    const next = at + recordHeaderBytes + capturedBytes;
    if (next > bytes.length) break;
    at = next;
    records += 1;
  }
  return { records, wholeBytes: at, stop: at === bytes.length ? 'end' : 'cut' };
}

/** Where the zeros at the end start; the length of `bytes` if there are none. */
function finalZerosFrom(bytes: Uint8Array): number {
  let from = bytes.length;
  while (from > 0 && bytes[from - 1] === 0) from -= 1;
  return from;
}

/** Reads the whole records of `bytes` one by one. Their data is a view of `bytes`, not a copy. */
export function* recordsIn(bytes: Uint8Array, header: PcapHeader): Generator<PacketRecord, void> {
  const view = viewOf(bytes);
  const little = header.byteOrder === 'little';
  const fractionNs = header.resolution === 'ns' ? 1n : 1000n;
  for (let at = 0; at + recordHeaderBytes <= bytes.length; ) {
    const dataAt = at + recordHeaderBytes;
    const next = dataAt + view.getUint32(at + 8, little);
    if (next > bytes.length) return;
    yield {
      timestampNs:
        BigInt(view.getUint32(at, little)) * 1_000_000_000n +
        BigInt(view.getUint32(at + 4, little)) * fractionNs,
      originalBytes: view.getUint32(at + 12, little),
      data: bytes.subarray(dataAt, next),
    };
    at = next;
  }
}

/** By the magic number, as its four bytes are in the file. */
export const pcapFormats: ReadonlyMap<number, Pick<PcapHeader, 'byteOrder' | 'resolution'>> = new Map([
  [0xa1b2c3d4, { byteOrder: 'big', resolution: 'us' }],
  [0xd4c3b2a1, { byteOrder: 'little', resolution: 'us' }],
  [0xa1b23c4d, { byteOrder: 'big', resolution: 'ns' }],
  [0x4d3cb2a1, { byteOrder: 'little', resolution: 'ns' }],
]);

function convertFraction(
  fraction: number,
  from: PcapHeader['resolution'],
  to: PcapHeader['resolution'],
): number {
  if (from === to) return fraction;
  return to === 'ns' ? fraction * 1000 : Math.floor(fraction / 1000);
}

function describe(magic: number): string {
  if (magic === 0x0a0d0d0a) return 'is a pcapng file, not a pcap file';
  return `is not a pcap file: it starts with 0x${magic.toString(16).padStart(8, '0')}`;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
