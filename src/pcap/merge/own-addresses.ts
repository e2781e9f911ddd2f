import type { Decoder } from '../decode/decoder.ts';
import type { PacketReader } from '../packet-reader.ts';

/** So many packets of an interface say whose they are. */
const sampledPackets = 1_000;

/**
 * The IP addresses of the Pod that each interface of a capture belongs to. If the interface's description has them, they
 * are those. Otherwise it is the address that nearly every one of its first packets has, for IPv4 and IPv6: none where two
 * addresses have that, because the Pod talks to nobody else. Reads the start of the capture.
 */
export async function ownAddresses(
  reader: PacketReader,
  { decode }: Pick<Decoder, 'decode'>,
): Promise<readonly ReadonlySet<string>[]> {
  const votes: Vote[] = [];
  let sampled = 0;
  while (sampled < sampledPackets && (await reader.next())) {
    const { packet, interfaces } = reader;
    const description = interfaces[packet.interfaceIndex];
    if (!description) continue;
    sampled += 1;
    const { source, destination, protocols } = decode(packet, description.linkType);
    const family = protocols.includes('ipv6') ? 'ipv6' : protocols.includes('ipv4') ? 'ipv4' : undefined;
    if (family === undefined || source === undefined || destination === undefined) continue;
    const vote = (votes[packet.interfaceIndex] ??= { ipv4: new Map(), ipv6: new Map() });
    for (const address of new Set([source, destination]))
      vote[family].set(address, (vote[family].get(address) ?? 0) + 1);
    vote[family].set(total, (vote[family].get(total) ?? 0) + 1);
  }
  return reader.interfaces.map(({ addresses }, index) => {
    if (addresses !== undefined && addresses.length > 0) return new Set(addresses);
    const vote = votes[index];
    return new Set(vote ? [...elected(vote.ipv4), ...elected(vote.ipv6)] : []);
  });
}

/** How many packets have each address; under `total`, how many packets there are. */
type Vote = Readonly<Record<'ipv4' | 'ipv6', Map<string, number>>>;
const total = '';

/** A Pod also receives what is sent to everybody, which has no address of its own. */
const nearlyAll = 0.9;

function elected(packets: ReadonlyMap<string, number>): string[] {
  const needed = nearlyAll * (packets.get(total) ?? 0);
  const found = [...packets].filter(([address, count]) => address !== total && count >= needed);
  return found.length === 1 ? found.map(([address]) => address) : [];
}
