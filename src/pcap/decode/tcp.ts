import type { DecodedTcp } from './decoded-packet.ts';
import { readDnsOverTcp } from './dns.ts';
import { decimal, field, type HeaderField, headerFields, hexadecimal } from './fields.ts';
import { readHttp } from './http.ts';
import { u8, u16, u32 } from './network-bytes.ts';
import type { Segment, SegmentNews } from './tcp-connections.ts';
import { flagsText, tcpFlags } from './tcp-flags.ts';
import { optionFields, optionsText } from './tcp-options.ts';
import { readTls } from './tls.ts';
import { readCut, type Walk } from './walk.ts';

/** RFC 9293, section 3.1: offsets. */
const offset = {
  source: 0,
  destination: 2,
  sequence: 4,
  acknowledgment: 8,
  dataOffset: 12,
  flags: 13,
  window: 14,
  bytes: 20,
} as const;

const header: readonly HeaderField[] = [
  ['Source port', offset.source, 2, decimal],
  ['Destination port', offset.destination, 2, decimal],
  ['Sequence number', offset.sequence, 4, decimal],
  ['Acknowledgment number', offset.acknowledgment, 4, decimal],
  ['Header length', offset.dataOffset, 1, (bytes, at) => `${headerBytes(bytes, at)}`],
  ['Flags', offset.flags, 1, (bytes, at) => flagsText(u8(bytes, at))],
  ['Window', offset.window, 2, decimal],
  ['Checksum', 16, 2, hexadecimal],
  ['Urgent pointer', 18, 2, decimal],
];

export function readTcp(walk: Walk, at: number): void {
  const { bytes } = walk;
  walk.protocols.push('tcp');
  if (at + 4 > walk.end) return readCut(walk, at, 'TCP');
  walk.sourcePort = u16(bytes, at + offset.source);
  walk.destinationPort = u16(bytes, at + offset.destination);
  const isWhole = at + offset.bytes <= walk.end;
  const length = isWhole ? headerBytes(bytes, at + offset.dataOffset) : offset.bytes;
  const next = at + length;
  walk.layers?.push(
    field(walk, { name: 'TCP', from: at, to: at + Math.max(length, offset.bytes) }, [
      ...headerFields(walk, at, header),
      ...optionFields(walk, at + offset.bytes, next),
    ]),
  );
  if (!isWhole) return readCut(walk, at, 'TCP');
  walk.payloadFrom = next;
  if (length < offset.bytes || next > walk.wireEnd) {
    walk.info = `${flagsText(u8(bytes, at + offset.flags))} malformed: header of ${length} bytes`;
    return;
  }
  const segment = segmentAt(walk, at, next);
  const news = walk.connections?.follow(segment, walk);
  walk.tcp = decodedTcp(segment, news);
  readPayload(walk, at, next);
  if (news?.isRetransmission) walk.notes = ` [retransmission]${walk.notes}`;
  else if (news?.isKeepAlive) walk.notes = ` [keep-alive]${walk.notes}`;
}

function headerBytes(bytes: Uint8Array, at: number): number {
  return (u8(bytes, at) >> 4) * 4;
}

function segmentAt({ bytes, wireEnd }: Walk, at: number, payloadAt: number): Segment {
  return {
    flags: u8(bytes, at + offset.flags),
    sequence: u32(bytes, at + offset.sequence),
    acknowledgment: u32(bytes, at + offset.acknowledgment),
    payloadBytes: wireEnd - payloadAt,
  };
}

function decodedTcp(segment: Segment, news: SegmentNews | undefined): DecodedTcp {
  const { flags, payloadBytes } = segment;
  return {
    flags,
    sequence: news === undefined ? segment.sequence : news.sequence,
    acknowledgment: news === undefined ? segment.acknowledgment : news.acknowledgment,
    payloadBytes,
    isRetransmission: news !== undefined && news.isRetransmission,
  };
}

/** Says what the segment carries; if that is not known, what the segment itself is. */
function readPayload(walk: Walk, at: number, payloadAt: number): void {
  if (walk.end > payloadAt) {
    const isDns = walk.sourcePort === 53 || walk.destinationPort === 53;
    if (isDns ? readDnsOverTcp(walk, payloadAt) : readHttp(walk, payloadAt) || readTls(walk, payloadAt))
      return;
  }
  walk.info = segmentText(walk, at, payloadAt);
}

function segmentText(walk: Walk, at: number, payloadAt: number): string {
  const { tcp, bytes } = walk;
  if (tcp === undefined) return '';
  const acknowledgment = (tcp.flags & tcpFlags.ack) === 0 ? '' : ` ack=${tcp.acknowledgment}`;
  const window = u16(bytes, at + offset.window);
  const options = optionsText(walk, at + offset.bytes, payloadAt);
  return `${flagsText(tcp.flags)} seq=${tcp.sequence}${acknowledgment} win=${window} len=${tcp.payloadBytes}${options}`;
}
