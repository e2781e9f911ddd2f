import { ipv6Text } from './address-text.ts';
import { decimal, field, type HeaderField, headerFields } from './fields.ts';
import { readExtensions } from './ipv6-extensions.ts';
import { u8, u16, u32 } from './network-bytes.ts';
import { limit, readCut, readOther, type Walk } from './walk.ts';

/** RFC 8200, section 3: offsets. */
const offset = { length: 4, next: 6, source: 8, destination: 24, bytes: 40 } as const;

const header: readonly HeaderField[] = [
  ['Version', 0, 1, (bytes, at) => `${u8(bytes, at) >> 4}`],
  ['Traffic class', 0, 2, (bytes, at) => `${(u16(bytes, at) >> 4) & 0xff}`],
  ['Flow label', 0, 4, (bytes, at) => `${u32(bytes, at) & 0xf_ffff}`],
  ['Payload length', offset.length, 2, decimal],
  ['Next header', offset.next, 1, decimal],
  ['Hop limit', 7, 1, decimal],
  ['Source', offset.source, 16, ipv6Text],
  ['Destination', offset.destination, 16, ipv6Text],
];

export function readIpv6(walk: Walk, at: number): void {
  const { bytes } = walk;
  if (at < walk.end && u8(bytes, at) >> 4 !== 6)
    return readOther(walk, at, `IP version ${u8(bytes, at) >> 4} in place of 6`);
  walk.protocols.push('ipv6');
  const next = at + offset.bytes;
  walk.layers?.push(field(walk, { name: 'IPv6', from: at, to: next }, headerFields(walk, at, header)));
  if (next > walk.end) return readCut(walk, at, 'IPv6');
  walk.source = walk.addresses.ipv6(bytes, at + offset.source);
  walk.destination = walk.addresses.ipv6(bytes, at + offset.destination);
  const length = u16(bytes, at + offset.length);
  // 0: a jumbogram (RFC 2675), or BIG TCP of Linux without its hop-by-hop option; else there is only padding.
  const isJumbo = length === 0 && walk.wireEnd - next > 0xffff;
  if (!isJumbo && !(length === 0 && u8(bytes, at + offset.next) === 0)) limit(walk, next + length);
  readExtensions(walk, next, u8(bytes, at + offset.next));
}
