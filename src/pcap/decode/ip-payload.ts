import { field } from './fields.ts';
import { readIcmp } from './icmp.ts';
import { readIcmpv6 } from './icmpv6.ts';
import { ipProtocolName } from './ip-protocols.ts';
import { hex, u8, u32 } from './network-bytes.ts';
import { readTcp } from './tcp.ts';
import { readUdp } from './udp.ts';
import { readCut, readOther, type Walk } from './walk.ts';

/** IP protocol of the authentication header. */
export const authentication = 51;

/** Reads what an IP header and its extension headers carry. */
export function readIpPayload(walk: Walk, at: number, protocol: number): void {
  switch (protocol) {
    case 6:
      return readTcp(walk, at);
    case 17:
      return readUdp(walk, at);
    case 1:
      return readIcmp(walk, at);
    case 58:
      return readIcmpv6(walk, at);
    case authentication:
      return readAuthentication(walk, at);
    default:
      return readOther(walk, at, ipProtocolName(protocol));
  }
}

/** The authentication header in IPv4: whose payload another one cannot be. */
function readAuthentication(walk: Walk, at: number): void {
  const next = authenticationEnd(walk, at);
  if (next === 0) return readCut(walk, at, 'authentication');
  const protocol = u8(walk.bytes, at);
  if (protocol === authentication) readOther(walk, next, ipProtocolName(protocol));
  else readIpPayload(walk, next, protocol);
}

/** RFC 4302, section 2: the end of the header, or 0 if it is cut off. */
export function authenticationEnd(walk: Walk, at: number): number {
  if (at + 8 > walk.end) return 0;
  const next = at + (u8(walk.bytes, at + 1) + 2) * 4;
  if (next > walk.end) return 0;
  const value = `SPI ${hex(u32(walk.bytes, at + 4), 8)}`;
  walk.layers?.push(field(walk, { name: 'Authentication header', value, from: at, to: next }));
  return next;
}
