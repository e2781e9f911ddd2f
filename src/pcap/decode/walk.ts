import type { AddressTexts } from './address-text.ts';
import type { DecodedPacket, DecodedTcp, Field, Protocol } from './decoded-packet.ts';
import type { TcpConnections } from './tcp-connections.ts';

/** The captured part of a packet, where a reader has it: `CurrentPacket` of packet-reader.ts is one. */
export type PacketBytes = {
  readonly buffer: Uint8Array;
  readonly dataAt: number;
  readonly capturedBytes: number;
  /** The length on the wire. */
  readonly originalBytes: number;
  /** Connections of different interfaces are different: two Pods can both have captured a conversation. */
  readonly interfaceIndex: number;
};

/**
 * One walk through a packet, from the outermost header to the innermost. It is what the layers hand each other, it is
 * changed by each of them, and one is used for all packets, so that a packet costs few allocations. All positions are
 * positions in `bytes`. A layer reads nothing at or after `end`.
 */
export type Walk = {
  bytes: Uint8Array;
  /** Where the packet starts. */
  start: number;
  /** Where the captured bytes of the current layer end: what is behind it is padding, or belongs to other packets. */
  end: number;
  /** Where the current layer ended on the wire: the same as `end` if all of it was captured. */
  wireEnd: number;
  interfaceIndex: number;
  protocols: Protocol[];
  source: string | undefined;
  destination: string | undefined;
  sourcePort: number | undefined;
  destinationPort: number | undefined;
  vlans: readonly number[];
  tcp: DecodedTcp | undefined;
  payloadFrom: number;
  info: string;
  /** What belongs behind `info` whatever the inner layers say, each with a space in front. */
  notes: string;
  readonly addresses: AddressTexts;
  readonly connections: TcpConnections | undefined;
  /** The layers of the tree; undefined if only a line is asked for. */
  layers: Field[] | undefined;
};

/** What is needed besides the packets. Without `connections` every packet is decoded on its own. */
type Context = Pick<Walk, 'addresses' | 'connections'>;

export function newWalk({ addresses, connections }: Context): Walk {
  return {
    bytes: new Uint8Array(),
    start: 0,
    end: 0,
    wireEnd: 0,
    interfaceIndex: 0,
    protocols: [],
    source: undefined,
    destination: undefined,
    sourcePort: undefined,
    destinationPort: undefined,
    vlans: noVlans,
    tcp: undefined,
    payloadFrom: 0,
    info: '',
    notes: '',
    addresses,
    connections,
    layers: undefined,
  };
}

/** Sets the walk to the start of a packet. */
export function startWalk(walk: Walk, packet: PacketBytes): void {
  const { buffer, dataAt, capturedBytes, originalBytes } = packet;
  walk.bytes = buffer;
  walk.start = dataAt;
  walk.end = Math.min(dataAt + capturedBytes, buffer.length);
  // Some writers give an original length of 0, or one below the captured length.
  walk.wireEnd = Math.max(dataAt + originalBytes, walk.end);
  walk.interfaceIndex = packet.interfaceIndex;
  walk.protocols = [];
  walk.source = undefined;
  walk.destination = undefined;
  walk.sourcePort = undefined;
  walk.destinationPort = undefined;
  walk.vlans = noVlans;
  walk.tcp = undefined;
  walk.payloadFrom = dataAt;
  walk.info = '';
  walk.notes = '';
}

/** What the walk found. */
export function walkResult(walk: Walk): DecodedPacket {
  const from = Math.min(walk.payloadFrom, walk.end) - walk.start;
  return {
    protocols: walk.protocols,
    source: walk.source,
    destination: walk.destination,
    sourcePort: walk.sourcePort,
    destinationPort: walk.destinationPort,
    vlans: walk.vlans,
    tcp: walk.tcp,
    payload: { from, to: walk.end - walk.start },
    info: walk.info,
  };
}

/** Makes a layer end where its own length field says, if that is before the end of the layer around it. */
export function limit(walk: Walk, wireEnd: number): void {
  walk.wireEnd = Math.min(walk.wireEnd, wireEnd);
  walk.end = Math.min(walk.end, walk.wireEnd);
}

/** Ends the walk: what is left is known only as `what` and its length. */
export function readOther(walk: Walk, at: number, what: string): void {
  walk.protocols.push('other');
  walk.payloadFrom = at;
  walk.info = `${what}, length ${Math.max(walk.wireEnd - at, 0)}`;
}

/** Ends the walk where a header is not whole: because the capture cut it off, or because the packet is broken. */
export function readCut(walk: Walk, at: number, what: string): void {
  walk.payloadFrom = at;
  walk.info = walk.end < walk.wireEnd ? `${what} header was not captured` : `${what} header is cut off`;
}

const noVlans: readonly number[] = Object.freeze([]);
