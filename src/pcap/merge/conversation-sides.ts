import type { DecodedPacket } from '../decode/decoded-packet.ts';
import { recentMap } from '../decode/recent-map.ts';
import { tcpFlags } from '../decode/tcp-flags.ts';

/** Which end of a conversation: the one that opened it, or the other one. */
export type Side = 'client' | 'server';

/** What may be known of both ends of a conversation. */
export type ConversationSides = {
  /** The IP addresses of a Pod whose packets are captured, or of whatever is. */
  readonly addOwner: (addresses: ReadonlySet<string>) => void;
  /**
   * The end at which a packet was captured, by the Pod with these addresses. Undefined if that is not known, and for the
   * end that is left out if the other end is not captured. `fragment` is the same for all fragments of one packet: only
   * the first of them has ports.
   */
  readonly sideOf: (
    packet: DecodedPacket,
    own: ReadonlySet<string>,
    fragment: string | undefined,
  ) => Side | undefined;
};

/**
 * Finds the end of its conversation at which each packet was captured; `kept` is the end that is kept. The client is the
 * one that sent the SYN, or did not send the SYN-ACK. Where the start was not captured, and for UDP, which has none, it
 * is the one with the higher port; of two equal ports, the sender of the first packet that was captured.
 */
export function conversationSides(kept: Side, conversations = rememberedConversations): ConversationSides {
  const clients = recentMap<string>(conversations);
  const owned = new Set<string>();

  /** Both ends get the same answer, because both ask about the same conversation. */
  function clientOf(packet: DecodedPacket, addresses: Addresses): string {
    const key = conversationKey(packet, addresses);
    const opener = openerOf(packet, addresses);
    const known = clients.get(key);
    if (opener === undefined && known !== undefined) return known;
    const client = opener ?? likelyClient(packet, addresses);
    if (client !== known) clients.set(key, client);
    return client;
  }

  function clientOfFragment(packet: DecodedPacket, addresses: Addresses, fragment: string): string {
    const key = `fragment ${fragment}`;
    const known = packet.sourcePort === undefined ? clients.get(key) : undefined;
    if (known !== undefined) return known;
    const client = clientOf(packet, addresses);
    clients.set(key, client);
    return client;
  }

  return {
    addOwner(addresses) {
      for (const address of addresses) owned.add(address);
    },
    sideOf(packet, own, fragment) {
      const { source, destination } = packet;
      if (source === undefined || destination === undefined || own.has(source) === own.has(destination))
        return undefined;
      const peer = own.has(source) ? destination : source;
      const addresses = { source, destination };
      const client =
        fragment === undefined ? clientOf(packet, addresses) : clientOfFragment(packet, addresses, fragment);
      const side = client === peer ? 'server' : 'client';
      return side === kept || owned.has(peer) ? side : undefined;
    },
  };
}

/** At least this many of those used most recently, and at most twice as many. */
const rememberedConversations = 100_000;

type Addresses = { readonly source: string; readonly destination: string };

const { syn, ack } = tcpFlags;

/** The address that opened the TCP connection, if the packet shows it. */
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
