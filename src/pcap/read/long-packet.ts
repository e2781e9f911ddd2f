import { maxPacketBytes } from '../pcap-format.ts';

/**
 * The most bytes that a packet of this link type has: wiretap's limits (wtap.h). A length beyond it is taken for damage;
 * packets of more than maxPacketBytes are passed over, not read.
 */
export function longestPacket(linkType: number | undefined): number {
  return linkType !== undefined && longLinkTypes.has(linkType) ? 128 * 1024 * 1024 : maxPacketBytes;
}

/** USB in five forms (189, 220, 249, 266 and 288), D-Bus and EBHSCR. */
const longLinkTypes: ReadonlySet<number> = new Set([189, 220, 231, 249, 266, 279, 288]);

export function isTooLong(packetBytes: number): string {
  return `a packet of ${packetBytes} bytes is longer than ${maxPacketBytes} and is passed over`;
}
