import type { CurrentPacket } from './packet-reader.ts';

/**
 * Sets the time of a packet from that of a pcap record; `fractions`: units per second. A fraction of a second or more is
 * invalid, but every reader adds it. The products and quotients are exact: powers of 2, and less than 2^53.
 */
export function setRecordTime(
  packet: CurrentPacket,
  seconds: number,
  fraction: number,
  fractions: number,
): void {
  const carry = fraction >= fractions ? Math.floor(fraction / fractions) : 0;
  packet.seconds = seconds + carry;
  const rest = fraction - carry * fractions;
  packet.nanoseconds = fractions === 1_000_000 ? rest * 1000 : rest;

  const upper = (seconds >>> 16) * fractions;
  const upperHigh = Math.floor(upper / 65_536);
  const lower = (upper - upperHigh * 65_536) * 65_536 + (seconds & 0xffff) * fractions + fraction;
  const lowerHigh = Math.floor(lower / 4_294_967_296);
  packet.timeHigh = upperHigh + lowerHigh;
  packet.timeLow = lower - lowerHigh * 4_294_967_296;
}
