import type { Protocol } from '../decode/decoded-packet.ts';
import { tcpFlags } from '../decode/tcp-flags.ts';

/** The words for protocols. */
export const protocolWords: ReadonlyMap<string, Protocol> = new Map([
  ['tcp', 'tcp'],
  ['udp', 'udp'],
  ['icmp', 'icmp'],
  ['icmp6', 'icmpv6'],
  ['icmpv6', 'icmpv6'],
  ['ip', 'ipv4'],
  ['ipv4', 'ipv4'],
  ['ip6', 'ipv6'],
  ['ipv6', 'ipv6'],
  ['arp', 'arp'],
  ['dns', 'dns'],
  ['http', 'http'],
  ['tls', 'tls'],
]);

/** The words for flags of TCP, with their bits. */
export const flagWords: ReadonlyMap<string, number> = new Map(Object.entries(tcpFlags));
