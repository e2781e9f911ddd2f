import { hash } from 'node:crypto';
import { maxTags, tagTypes } from '../decode/ether-type.ts';
import { u8, u16, u32 } from '../decode/network-bytes.ts';
import { tcpFlags } from '../decode/tcp-flags.ts';
import type { CurrentPacket } from '../packet-reader.ts';
import { numbersOf, type StreamPart } from './stream-part.ts';

/** What both ends see alike of one IP packet. */
export type PacketIdentity = {
  /** Of the start of the packet, which is there also where a capture has cut it. */
  readonly start: string;
  /** A hash of what follows; undefined if a capture has cut the packet. */
  readonly rest: string | undefined;
  /** The same for all fragments of one packet; undefined if it is no fragment. */
  readonly fragment: string | undefined;
  /** What it carries of a TCP stream; undefined if that is nothing. */
  readonly part: StreamPart | undefined;
};

/** As much as `tcpdump -s 96` keeps behind an Ethernet header. */
const startBytes = 82;

/**
 * Identifies an IP packet by what a network leaves as it is: not the link layer, TTL or hop limit, traffic class, and IPv4
 * header checksum; nor the checksum of TCP, UDP and SCTP, which the sender's network card fills in after it was captured.
 * Undefined without a whole IP header.
 */
export function packetIdentity(packet: CurrentPacket, linkType: number): PacketIdentity | undefined {
  const { buffer, dataAt, capturedBytes, originalBytes } = packet;
  const captured = buffer.subarray(dataAt, dataAt + capturedBytes);
  const at = ipStart(captured, linkType);
  if (at === undefined || at >= captured.length) return undefined;
  const length = u8(captured, at) >> 4 === 4 ? ipv4Length(captured, at) : ipv6Length(captured, at);
  if (length === undefined) return undefined;
  // A padded frame is longer than its IP packet; a packet that the card is to split can say 0.
  const ipBytes = length === 0 ? originalBytes - at : length;
  const end = Math.min(captured.length, at + ipBytes);
  const header = Buffer.from(captured.subarray(at, Math.min(end, at + startBytes)));
  const isWhole = end === at + ipBytes;
  const rest = isWhole ? captured.subarray(Math.min(end, at + startBytes), end) : undefined;
  const fragment = withoutChanges(header);
  return {
    start: `${ipBytes} ${header.toString('latin1')}`,
    rest: rest && (rest.length === 0 ? '' : hash('sha256', rest, 'base64')),
    fragment,
    part:
      fragment === undefined && at + ipBytes <= originalBytes
        ? streamPart(captured.subarray(at, end), ipBytes)
        : undefined,
  };
}

const { fin, syn, rst } = tcpFlags;
const tcpProtocol = 6;
const tcpHeaderBytes = 20;

/**
 * Of an IP packet with a TCP header directly behind the IP header, which is there as a whole. Undefined without data, and
 * where a SYN or a reset has some, which is rare or no part of the stream.
 */
function streamPart(ip: Uint8Array, ipBytes: number): StreamPart | undefined {
  const isIpv4 = u8(ip, 0) >> 4 === 4;
  const at = isIpv4 ? 4 * (u8(ip, 0) & 0x0f) : ipv6HeaderBytes;
  if (u8(ip, isIpv4 ? 9 : 6) !== tcpProtocol || ip.length < at + tcpHeaderBytes) return undefined;
  const flags = u8(ip, at + 13);
  const headerBytes = 4 * (u8(ip, at + 12) >> 4);
  const dataBytes = ipBytes - at - headerBytes;
  if (headerBytes < tcpHeaderBytes || dataBytes < 0 || dataBytes > mostDataBytes) return undefined;
  const addresses = ip.subarray(isIpv4 ? 12 : 8, isIpv4 ? 20 : ipv6HeaderBytes);
  const part: StreamPart = {
    stream: Buffer.concat([addresses, ip.subarray(at, at + 4)]).toString('latin1'),
    sequence: u32(ip, at + 4),
    dataBytes,
    hasFin: (flags & fin) !== 0,
    captured: ip.subarray(at + headerBytes),
  };
  return (flags & (syn | rst)) === 0 && numbersOf(part) > 0 ? part : undefined;
}

/** More than the kernel joins (GSO_MAX_SIZE is 524,280). */
const mostDataBytes = 1024 * 1024;

/** Where IP starts. The link types are those of tcpdump.org/linktypes.html. */
function ipStart(bytes: Uint8Array, linkType: number): number | undefined {
  switch (linkType) {
    case 0:
    case 108:
      return 4;
    case 1:
      return behindTags(bytes, 14, 12);
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      return 0;
    case 113:
      return behindTags(bytes, 16, 14);
    case 276:
      return behindTags(bytes, 20, 0);
    default:
      return undefined;
  }
}

/** Where the IP packet starts whose EtherType is at `typeAt`, or behind tags. */
function behindTags(bytes: Uint8Array, start: number, typeAt: number): number | undefined {
  let at = start;
  let type = bytes.length < start ? 0 : u16(bytes, typeAt);
  for (let tags = 0; tags < maxTags && tagTypes.has(type) && at + 4 <= bytes.length; tags += 1) {
    type = u16(bytes, at + 2);
    at += 4;
  }
  return type === 0x0800 || type === 0x86dd ? at : undefined;
}

const ipv6HeaderBytes = 40;

function ipv4Length(bytes: Uint8Array, at: number): number | undefined {
  const headerBytes = 4 * (u8(bytes, at) & 0x0f);
  return headerBytes < 20 || at + headerBytes > bytes.length ? undefined : u16(bytes, at + 2);
}

function ipv6Length(bytes: Uint8Array, at: number): number | undefined {
  if (u8(bytes, at) >> 4 !== 6 || at + ipv6HeaderBytes > bytes.length) return undefined;
  const payload = u16(bytes, at + 4);
  return payload === 0 ? 0 : ipv6HeaderBytes + payload;
}

/** Clears in the header what changes on the way; returns what the fragments of one packet share. */
function withoutChanges(header: Buffer): string | undefined {
  return u8(header, 0) >> 4 === 4 ? withoutIpv4Changes(header) : withoutIpv6Changes(header);
}

/** RFC 791, section 3.1. */
function withoutIpv4Changes(header: Buffer): string | undefined {
  const protocol = u8(header, 9);
  // Type of service; TTL; header checksum.
  header.fill(0, 1, 2).fill(0, 8, 9).fill(0, 10, 12);
  const offset = u16(header, 6) & 0x1fff;
  if (offset === 0) clearChecksum(header, 4 * (u8(header, 0) & 0x0f), protocol);
  const isFragment = offset > 0 || (u16(header, 6) & 0x2000) > 0;
  return isFragment ? `${protocol} ${u16(header, 4)} ${header.toString('latin1', 12, 20)}` : undefined;
}

const fragmentHeader = 44;

/** RFC 8200, sections 3 and 4.5. */
function withoutIpv6Changes(header: Buffer): string | undefined {
  // Traffic class and the upper bits of the flow label; hop limit.
  header.fill(0, 1, 2).fill(0x60, 0, 1).fill(0, 7, 8);
  const next = u8(header, 6);
  if (next !== fragmentHeader) clearChecksum(header, ipv6HeaderBytes, next);
  else if (header.length >= ipv6HeaderBytes + 8)
    return `${u32(header, ipv6HeaderBytes + 4)} ${header.toString('latin1', 8, ipv6HeaderBytes)}`;
  return undefined;
}

/** Offsets and lengths of checksums that network cards fill in, by IP protocol: TCP, UDP, SCTP. */
const checksums: ReadonlyMap<number, readonly [at: number, bytes: number]> = new Map([
  [6, [16, 2]],
  [17, [6, 2]],
  [132, [8, 4]],
]);

function clearChecksum(header: Buffer, at: number, protocol: number): void {
  const [offset, bytes] = checksums.get(protocol) ?? [0, 0];
  header.fill(0, Math.min(at + offset, header.length), Math.min(at + offset + bytes, header.length));
}
