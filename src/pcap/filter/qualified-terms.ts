import type { Protocol } from '../decode/decoded-packet.ts';
import { type IpFamily, readNetwork } from './ip-address.ts';
import { type Problem, problemAt } from './matcher.ts';
import { shown } from './token-cursor.ts';
import type { Token } from './tokens.ts';

/**
 * Says why no packet can match a protocol with the port or the address that follows it, whose last word is `value`;
 * undefined if one can. tcpdump refuses these as well: whoever writes one means something else.
 */
export function neverMatches(protocol: Protocol, word: Token, value: Token): Problem | undefined {
  const name = protocolNames.get(protocol);
  if (name === undefined) return undefined;
  const span = { at: word.at, length: value.at + value.length - word.at };
  const family = readNetwork(value.text)?.family;
  const own = families.get(protocol);
  if (family === undefined)
    return isWithoutPorts(protocol)
      ? problemAt(span, `this matches nothing: ${name} has no ports`)
      : undefined;
  if (own === undefined)
    return problemAt(span, `this matches nothing: host is about IPv4 and IPv6, and ${name} is neither`);
  if (own === family) return undefined;
  return problemAt(
    span,
    `this matches nothing: ${name} has no address of IPv${family} such as ${shown(value)}`,
  );
}

const protocolNames: ReadonlyMap<Protocol, string> = new Map([
  ['arp', 'ARP'],
  ['icmp', 'ICMP'],
  ['icmpv6', 'ICMPv6'],
  ['ipv4', 'IPv4'],
  ['ipv6', 'IPv6'],
]);

/** The version of IP that a protocol is, or belongs to. */
const families: ReadonlyMap<Protocol, IpFamily> = new Map([
  ['icmp', 4],
  ['ipv4', 4],
  ['icmpv6', 6],
  ['ipv6', 6],
]);

function isWithoutPorts(protocol: Protocol): boolean {
  return protocol === 'arp' || protocol === 'icmp' || protocol === 'icmpv6';
}
