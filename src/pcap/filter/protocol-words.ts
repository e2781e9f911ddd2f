import type { Protocol } from '../decode/decoded-packet.ts';

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

/** The words for flags of TCP, with the bits of RFC 9293 and RFC 3168. */
export const flagWords: ReadonlyMap<string, number> = new Map([
  ['fin', 1],
  ['syn', 2],
  ['rst', 4],
  ['psh', 8],
  ['ack', 16],
  ['urg', 32],
  ['ece', 64],
  ['cwr', 128],
]);
