import { ipv4Text } from './address-text.ts';
import type { Field } from './decoded-packet.ts';
import { decimal, field, type HeaderField, headerFields, hexadecimal, rawBytes } from './fields.ts';
import { type Fragment, readFragment } from './fragment.ts';
import { readIpPayload } from './ip-payload.ts';
import { u8, u16 } from './network-bytes.ts';
import { limit, readCut, readOther, type Walk } from './walk.ts';

/** RFC 791, section 3.1: offsets. */
const offset = { total: 2, id: 4, fragment: 6, protocol: 9, source: 12, destination: 16, bytes: 20 } as const;

const header: readonly HeaderField[] = [
  ['Version', 0, 1, (bytes, at) => `${u8(bytes, at) >> 4}`],
  ['Header length', 0, 1, (bytes, at) => `${headerBytes(bytes, at)}`],
  ['Traffic class', 1, 1, hexadecimal],
  ['Total length', offset.total, 2, decimal],
  ['Identification', offset.id, 2, hexadecimal],
  ['Flags', offset.fragment, 1, (bytes, at) => flagNames[u8(bytes, at) >> 5] ?? ''],
  ['Fragment offset', offset.fragment, 2, (bytes, at) => `${fragmentOffset(bytes, at)}`],
  ['Time to live', 8, 1, decimal],
  ['Protocol', offset.protocol, 1, decimal],
  ['Header checksum', 10, 2, hexadecimal],
  ['Source', offset.source, 4, ipv4Text],
  ['Destination', offset.destination, 4, ipv4Text],
];

const flagNames = [
  'none',
  'more fragments',
  "don't fragment",
  "don't fragment, more fragments",
  'reserved',
  'reserved, more fragments',
  "reserved, don't fragment",
  "reserved, don't fragment, more fragments",
];

export function readIpv4(walk: Walk, at: number): void {
  const { bytes } = walk;
  const ihl = at < walk.end ? headerBytes(bytes, at) : offset.bytes;
  if (at < walk.end && u8(bytes, at) >> 4 !== 4)
    return readOther(walk, at, `IP version ${u8(bytes, at) >> 4} in place of 4`);
  walk.protocols.push('ipv4');
  walk.layers?.push(
    field(walk, { name: 'IPv4', from: at, to: at + Math.max(ihl, offset.bytes) }, [
      ...headerFields(walk, at, header),
      ...optionFields(walk, at + offset.bytes, at + ihl),
    ]),
  );
  if (at + offset.bytes > walk.end) return readCut(walk, at, 'IPv4');
  walk.source = walk.addresses.ipv4(bytes, at + offset.source);
  walk.destination = walk.addresses.ipv4(bytes, at + offset.destination);
  const total = u16(bytes, at + offset.total);
  // 0: the network card was to split the packet (TSO), or it has more than 65,535 bytes (BIG TCP).
  if (total !== 0) limit(walk, at + Math.max(total, offset.bytes));
  walk.payloadFrom = at + ihl;
  if (ihl < offset.bytes || (total !== 0 && total < ihl)) {
    walk.info = `malformed: header of ${ihl} bytes in a packet of ${total}`;
    return;
  }
  if (at + ihl > walk.end) return readCut(walk, at, 'IPv4');
  const fragment = fragmentAt(bytes, at);
  if (readFragment(walk, at + ihl, fragment)) return;
  readIpPayload(walk, at + ihl, fragment.protocol);
}

function fragmentAt(bytes: Uint8Array, at: number): Fragment {
  return {
    offset: fragmentOffset(bytes, at + offset.fragment),
    hasMore: (u8(bytes, at + offset.fragment) & 0x20) !== 0,
    id: u16(bytes, at + offset.id),
    protocol: u8(bytes, at + offset.protocol),
  };
}

function headerBytes(bytes: Uint8Array, at: number): number {
  return (u8(bytes, at) & 15) * 4;
}

function fragmentOffset(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) & 0x1fff) * 8;
}

/** Options are a type and, except for 0 (end) and 1 (no operation), a length and data. */
function optionFields(walk: Walk, at: number, to: number): readonly Field[] {
  const { bytes } = walk;
  const end = Math.min(to, walk.end);
  const fields: Field[] = [];
  for (let from = at; from < end; ) {
    const type = u8(bytes, from);
    const length = type < 2 ? 1 : u8(bytes, from + 1);
    if (length === 0 || (type >= 2 && length < 2) || from + length > end) break;
    const value = length > 2 ? rawBytes(bytes, from + 2, length - 2) : '';
    const name = optionNames.get(type) ?? `Option ${type}`;
    fields.push(field(walk, { name, value, from, to: from + length }));
    from += length;
  }
  return fields;
}

/** IANA: IP option numbers. */
const optionNames: ReadonlyMap<number, string> = new Map([
  [0, 'End of options'],
  [1, 'No operation'],
  [7, 'Record route'],
  [68, 'Timestamp'],
  [131, 'Loose source route'],
  [137, 'Strict source route'],
  [148, 'Router alert'],
]);
