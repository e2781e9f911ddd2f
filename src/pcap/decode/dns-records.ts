import { ipv4Text, ipv6Text } from './address-text.ts';
import type { ByteSpan } from './decoded-packet.ts';
import { nameEnd, nameText } from './dns-names.ts';
import { u8, u16, u32 } from './network-bytes.ts';
import { packetText } from './packet-text.ts';

/** A resource record, RFC 1035, section 4.1.3; positions are positions in the buffer. */
export type DnsRecord = {
  readonly from: number;
  readonly type: number;
  /** In seconds. */
  readonly ttl: number;
  readonly dataFrom: number;
  /** The end of the record. */
  readonly to: number;
};

/** The record at `at`, if it is whole. */
export function recordAt(bytes: Uint8Array, at: number, end: number): DnsRecord | undefined {
  const fixed = nameEnd(bytes, at, end);
  if (fixed === 0 || fixed + 10 > end) return undefined;
  const dataFrom = fixed + 10;
  const to = dataFrom + u16(bytes, fixed + 8);
  if (to > end) return undefined;
  return { from: at, type: u16(bytes, fixed), ttl: u32(bytes, fixed + 4), dataFrom, to };
}

/** The record's type and what it says: "A 10.0.0.1". */
export function recordText(bytes: Uint8Array, record: DnsRecord, message: ByteSpan): string {
  const name = typeName(record.type);
  const value = valueText(bytes, record, { from: message.from, to: record.to });
  return value === '' ? name : `${name} ${value}`;
}

function valueText(bytes: Uint8Array, record: DnsRecord, message: ByteSpan): string {
  const { type, dataFrom: from, to } = record;
  const length = to - from;
  switch (typeName(type)) {
    case 'A':
      return length === 4 ? ipv4Text(bytes, from) : '';
    case 'AAAA':
      return length === 16 ? ipv6Text(bytes, from) : '';
    case 'CNAME':
    case 'NS':
    case 'PTR':
    case 'SOA':
      return length > 0 ? nameText(bytes, from, message) : '';
    case 'MX':
      return length > 2 ? `${u16(bytes, from)} ${nameText(bytes, from + 2, message)}` : '';
    case 'SRV':
      return length > 6 ? `${nameText(bytes, from + 6, message)}:${u16(bytes, from + 4)}` : '';
    case 'TXT': {
      const textTo = length > 0 ? Math.min(from + 1 + u8(bytes, from), to) : from;
      return textTo > from ? `"${packetText(bytes, { from: from + 1, to: textTo, maxChars: 60 })}"` : '';
    }
    default:
      return '';
  }
}

/** IANA: DNS resource record types. */
export function typeName(type: number): string {
  return typeNames.get(type) ?? `TYPE${type}`;
}

const typeNames: ReadonlyMap<number, string> = new Map([
  [1, 'A'],
  [2, 'NS'],
  [5, 'CNAME'],
  [6, 'SOA'],
  [12, 'PTR'],
  [15, 'MX'],
  [16, 'TXT'],
  [28, 'AAAA'],
  [33, 'SRV'],
  [35, 'NAPTR'],
  [41, 'OPT'],
  [43, 'DS'],
  [46, 'RRSIG'],
  [47, 'NSEC'],
  [48, 'DNSKEY'],
  [64, 'SVCB'],
  [65, 'HTTPS'],
  [251, 'IXFR'],
  [252, 'AXFR'],
  [255, 'ANY'],
  [257, 'CAA'],
]);
