import { isIP } from 'node:net';
import type { HubAddress } from '../../link/link-handler.ts';

/**
 * The filter of a tap without the connections between agent and hubs: a stream that captured itself would never be silent.
 * `filter` must compile by itself, so that its parentheses end inside of these. Pure.
 *
 * Agents dial the address of a hub's Pod, so that no Service translates it; where the packets of a Pod include them at all
 * (a Pod that is a gateway), they have this address and port on one side even if the other side is translated. Of IPv6,
 * tcpdump compares addresses as it does of IPv4, but looks for ports behind no extension header; connections of Linux
 * have none. Nothing is excluded inside of tunnels, or where a Node translates the hub's own address.
 */
export function withoutHubs(filter: string | undefined, hubs: readonly HubAddress[]): string | undefined {
  const connections = new Set(
    hubs.flatMap(({ address, port }) => {
      const plain = plainAddress(address);
      return plain === undefined ? [] : [`(host ${plain} and tcp port ${port})`];
    }),
  );
  if (connections.size === 0) return filter;
  const others = `not (${[...connections].join(' or ')})`;
  return filter === undefined ? others : `(${filter}) and ${others}`;
}

/** As it is in packets: without a zone, and IPv4 even if a socket of IPv6 has it. */
function plainAddress(address: string): string | undefined {
  const [plain = ''] = address.replace(/^::ffff:(?=[\d.]+$)/i, '').split('%');
  return isIP(plain) === 0 ? undefined : plain;
}
