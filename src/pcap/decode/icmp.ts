import { decimal, field, type HeaderField, headerFields, hexadecimal } from './fields.ts';
import { aboutText } from './icmp-error.ts';
import { u8, u16 } from './network-bytes.ts';
import { readCut, type Walk } from './walk.ts';

/** RFC 792. What follows these 8 bytes is echoed data, or the start of the packet that the message is about. */
export const icmpHeader: readonly HeaderField[] = [
  ['Type', 0, 1, decimal],
  ['Code', 1, 1, decimal],
  ['Checksum', 2, 2, hexadecimal],
  ['Rest of header', 4, 4, hexadecimal],
];

export function readIcmp(walk: Walk, at: number): void {
  walk.protocols.push('icmp');
  walk.layers?.push(field(walk, { name: 'ICMP', from: at, to: at + 8 }, headerFields(walk, at, icmpHeader)));
  walk.payloadFrom = at + 8;
  if (at + 4 > walk.end) return readCut(walk, at, 'ICMP');
  const type = u8(walk.bytes, at);
  const code = u8(walk.bytes, at + 1);
  const name = types.get(type) ?? `type ${type}`;
  const about = errors.has(type) ? aboutText(walk, at + 8) : '';
  if (type === 0 || type === 8) walk.info = `${name}${echoText(walk, at)}`;
  else if (type === 3) walk.info = `${name}: ${unreachable[code] ?? `code ${code}`}${about}`;
  else walk.info = `${name}${code === 0 ? '' : `, code ${code}`}${about}`;
}

/** Types of messages that have the start of the packet that they are about. */
const errors: ReadonlySet<number> = new Set([3, 4, 5, 11, 12]);

/** Identifier, sequence number and length of the data, as far as they were captured. The same in ICMPv6. */
export function echoText(walk: Walk, at: number): string {
  if (at + 8 > walk.end) return '';
  const id = u16(walk.bytes, at + 4);
  return ` id=${id} seq=${u16(walk.bytes, at + 6)} len=${walk.wireEnd - at - 8}`;
}

/** IANA: ICMP type numbers. */
const types: ReadonlyMap<number, string> = new Map([
  [0, 'echo reply'],
  [3, 'destination unreachable'],
  [4, 'source quench'],
  [5, 'redirect'],
  [8, 'echo request'],
  [9, 'router advertisement'],
  [10, 'router solicitation'],
  [11, 'time exceeded'],
  [12, 'parameter problem'],
  [13, 'timestamp request'],
  [14, 'timestamp reply'],
]);

const unreachable = [
  'network unreachable',
  'host unreachable',
  'protocol unreachable',
  'port unreachable',
  "fragmentation needed, but don't fragment is set",
  'source route failed',
  'network unknown',
  'host unknown',
  'source host isolated',
  'network prohibited',
  'host prohibited',
  'network unreachable for this type of service',
  'host unreachable for this type of service',
  'prohibited by filter',
  'host precedence violation',
  'precedence cutoff',
];
