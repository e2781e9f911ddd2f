import type { Decoder } from '../decode/decoder.ts';
import type { PacketReader } from '../packet-reader.ts';

/** Whose an interface is. */
export type OwnAddresses = {
  readonly addresses: ReadonlySet<string>;
  /** Two addresses that both are in nearly every packet: it can be either of them. */
  readonly candidates: readonly string[];
};

/** So many packets of an interface say whose they are. */
const sampledPackets = 1_000;

/**
 * The IP addresses of the Pod that each interface of a capture belongs to. If the interface's description has them, they
 * are those. Otherwise it is the address that nearly every one of its first packets has, for IPv4 and IPv6: none where two
 * addresses have that, because the Pod has a single peer. The reader is at the first packet; it is moved on.
 */
export async function ownAddresses(
  reader: PacketReader,
  { decode }: Pick<Decoder, 'decode'>,
): Promise<readonly OwnAddresses[]> {
  const votes: Vote[] = [];
  for (let sampled = 0; sampled < sampledPackets && (sampled === 0 || (await reader.next())); sampled += 1) {
    const { packet, interfaces } = reader;
    const description = interfaces[packet.interfaceIndex];
    if (!description) continue;
    const { source, destination, protocols } = decode(packet, description.linkType);
    const family = protocols.includes('ipv6') ? 'ipv6' : protocols.includes('ipv4') ? 'ipv4' : undefined;
    if (family === undefined || source === undefined || destination === undefined) continue;
    const vote = (votes[packet.interfaceIndex] ??= { ipv4: new Map(), ipv6: new Map() });
    for (const address of new Set([source, destination]))
      vote[family].set(address, (vote[family].get(address) ?? 0) + 1);
    vote[family].set(total, (vote[family].get(total) ?? 0) + 1);
  }
  return reader.interfaces.map(({ addresses }, index) => {
    if (addresses !== undefined && addresses.length > 0)
      return { addresses: new Set(addresses), candidates: [] };
    const { ipv4, ipv6 } = votes[index] ?? noVote;
    const found = [frequent(ipv4), frequent(ipv6)];
    return {
      addresses: new Set(found.flatMap((each) => (each.length === 1 ? each : []))),
      candidates: found.flatMap((each) => (each.length === 1 ? [] : each)),
    };
  });
}

/** How many packets have each address; under `total`, how many packets there are. */
type Vote = Readonly<Record<'ipv4' | 'ipv6', Map<string, number>>>;
const total = '';
const noVote: Vote = { ipv4: new Map(), ipv6: new Map() };

/** A Pod also receives what is sent to everybody, which has no address of its own. */
const nearlyAll = 0.9;

/** The addresses that nearly every packet has: two at most. */
function frequent(packets: ReadonlyMap<string, number>): string[] {
  const needed = nearlyAll * (packets.get(total) ?? 0);
  return [...packets].flatMap(([address, count]) => (address !== total && count >= needed ? [address] : []));
}
