import type { DecodedPacket } from '../decode/decoded-packet.ts';

/** Which end of a conversation: the one that opened it, or the other one. */
export type Side = 'client' | 'server';

/** A place where packets were captured: one interface of one input. */
export type CapturePoint = {
  /** The IP addresses of the Pod, or of whatever was captured there. */
  readonly addresses: ReadonlySet<string>;
  /** Whether it captures at this moment of the merge: its first packet has come, and its last one has not. */
  readonly isCapturing: () => boolean;
};

/**
 * Tells which packets to keep so that a conversation of which both ends are captured is in the output once, as that side
 * saw it. What only one end captured is always kept. Call it for each packet in time order.
 *
 * The client is who sent the SYN, or who did not send the SYN-ACK. Where the start was not captured, and for UDP, which
 * has none, it is who uses the higher port; of two equal ports, who sent the first packet that was captured.
 */
export function conversationSides(
  side: Side,
  points: readonly CapturePoint[],
): (packet: DecodedPacket, point: number) => boolean {
  const clients = new Map<string, string>();
  const owners = new Map<string, number[]>();
  for (const [at, { addresses }] of points.entries())
    for (const address of addresses) owners.set(address, [...(owners.get(address) ?? []), at]);

  function isCapturedElsewhere(address: string, point: number): boolean {
    return (owners.get(address) ?? []).some((at) => at !== point && points[at]?.isCapturing() === true);
  }

  return (packet, point) => {
    const { source, destination } = packet;
    const own = points[point]?.addresses;
    if (source === undefined || destination === undefined || !own || own.has(source) === own.has(destination))
      return true;
    const mine = own.has(source) ? source : destination;
    const peer = own.has(source) ? destination : source;
    const client = rememberClient(clients, packet, { source, destination });
    return (client === mine) === (side === 'client') || !isCapturedElsewhere(peer, point);
  };
}

/** Conversations that are remembered; the one that was opened first is forgotten first. */
const mostConversations = 100_000;

type Addresses = { readonly source: string; readonly destination: string };

/** The address of the client. Both ends get the same answer, because both ask about the same conversation. */
function rememberClient(
  clients: Map<string, string>,
  packet: DecodedPacket,
  { source, destination }: Addresses,
): string {
  const key = conversationKey(packet, { source, destination });
  const opener = openerOf(packet, { source, destination });
  const known = clients.get(key);
  if (opener === undefined && known !== undefined) return known;
  const client = opener ?? likelyClient(packet, { source, destination });
  if (client === known) return client;
  clients.set(key, client);
  const [oldest] = clients.keys();
  if (clients.size > mostConversations && oldest !== undefined) clients.delete(oldest);
  return client;
}

const syn = 2;
const ack = 16;

/** Who opened the TCP connection, if the packet shows it. */
function openerOf({ tcp }: DecodedPacket, { source, destination }: Addresses): string | undefined {
  if (!tcp || (tcp.flags & syn) === 0) return undefined;
  return (tcp.flags & ack) === 0 ? source : destination;
}

function likelyClient(
  { sourcePort = 0, destinationPort = 0 }: DecodedPacket,
  { source, destination }: Addresses,
): string {
  return sourcePort < destinationPort ? destination : source;
}

/** The same for both directions. */
function conversationKey(
  { protocols, sourcePort, destinationPort }: DecodedPacket,
  { source, destination }: Addresses,
): string {
  const protocol = protocols.includes('tcp') ? 'tcp' : protocols.includes('udp') ? 'udp' : '';
  const ends = [`${source} ${sourcePort ?? ''}`, `${destination} ${destinationPort ?? ''}`].toSorted();
  return `${protocol} ${ends.join(' ')}`;
}
