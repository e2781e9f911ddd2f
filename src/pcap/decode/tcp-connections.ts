import type { DecodedPacket } from './decoded-packet.ts';
import { recentMap } from './recent-map.ts';
import { isSeen, newSequenceSpace, type SequenceSpace, see } from './sequence-space.ts';
import { tcpFlags } from './tcp-flags.ts';

/** What a segment says, with absolute numbers. */
export type Segment = {
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly payloadBytes: number;
};

/** What is known of a segment from those before it in its connection. */
export type SegmentNews = {
  /** Relative to the initial sequence number; if that was not seen, the first segment that was seen has 1. */
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly isRetransmission: boolean;
  readonly isKeepAlive: boolean;
};

/** The TCP connections of a capture. */
export type TcpConnections = {
  readonly follow: (segment: Segment, endpoints: Endpoints) => SegmentNews;
};

type Endpoints = Pick<DecodedPacket, 'source' | 'destination' | 'sourcePort' | 'destinationPort'> & {
  readonly interfaceIndex: number;
};

/** A connection by its two directions; `forward` is that of its first segment. */
type Connection = { readonly forward: SequenceSpace; readonly backward: SequenceSpace };

const { fin, syn, rst, ack } = tcpFlags;

/**
 * Follows at least the `kept` connections that were used most recently, and at most twice as many, in less than 1 KB
 * each. A connection is its addresses, ports and interface: both ends of a conversation, captured in two Pods, are two.
 */
export function tcpConnections(kept: number): TcpConnections {
  const connections = recentMap<Connection>(kept);
  return {
    follow(segment, endpoints) {
      const { source = '', destination = '', sourcePort = 0, destinationPort = 0 } = endpoints;
      const { interfaceIndex } = endpoints;
      const isLower =
        sourcePort < destinationPort || (sourcePort === destinationPort && source < destination);
      // The same key for both directions.
      const key = isLower
        ? `${sourcePort} ${destinationPort} ${interfaceIndex} ${source} ${destination}`
        : `${destinationPort} ${sourcePort} ${interfaceIndex} ${destination} ${source}`;
      let connection = connections.get(key);
      if (connection === undefined) {
        connection = { forward: newSequenceSpace(), backward: newSequenceSpace() };
        connections.set(key, connection);
      }
      const { forward, backward } = connection;
      return isLower ? followSegment(segment, forward, backward) : followSegment(segment, backward, forward);
    },
  };
}

function followSegment(segment: Segment, own: SequenceSpace, other: SequenceSpace): SegmentNews {
  const { flags, sequence, payloadBytes } = segment;
  setBases(segment, own, other);
  const isKeepAlive =
    payloadBytes <= 1 &&
    (flags & (fin | syn | rst)) === 0 &&
    own.hasData &&
    sequence === (own.next - 1) >>> 0;
  // FIN and SYN take a number each. A reset may carry an explanation, which is not data.
  const numbers = (flags & rst) === 0 ? payloadBytes + (flags & syn ? 1 : 0) + (flags & fin ? 1 : 0) : 0;
  const isRetransmission = numbers > 0 && !isKeepAlive && isSeen(own, sequence, numbers);
  if (numbers > 0 && !isKeepAlive) see(own, sequence, numbers);
  return {
    sequence: (sequence - own.base) >>> 0,
    acknowledgment: flags & ack ? (segment.acknowledgment - other.base) >>> 0 : 0,
    isRetransmission,
    isKeepAlive,
  };
}

/** Sets from where numbers are counted, and starts again if the ports are used for a new connection. */
function setBases(
  { flags, sequence, acknowledgment }: Segment,
  own: SequenceSpace,
  other: SequenceSpace,
): void {
  if (flags & syn) {
    if (own.hasBase && own.base !== sequence) {
      restart(own);
      if ((flags & ack) === 0) restart(other);
    }
    setBase(own, sequence);
  } else setBase(own, (sequence - 1) >>> 0);
  if (flags & ack) setBase(other, (acknowledgment - 1) >>> 0);
}

function restart(space: SequenceSpace): void {
  space.hasBase = false;
  space.hasData = false;
  space.holes = undefined;
}

function setBase(space: SequenceSpace, base: number): void {
  if (space.hasBase) return;
  space.hasBase = true;
  space.base = base;
}
