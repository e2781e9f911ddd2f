import { endpointText } from './address-text.ts';
import type { DecodedPacket, Protocol } from './decoded-packet.ts';
import { type ShownTime, timeText } from './time-text.ts';

export type LineOptions = ShownTime & {
  /** Undefined where there is only one. Made plain by the caller, once for all lines: a file can call it anything. */
  readonly interfaceName: string | undefined;
};

/**
 * The packet as one line, without a line feed:
 *
 *     12:31:04.123456 default/web/eth0 10.0.0.1:42412 > 10.0.0.2:80 TCP [SYN] seq=0 win=64240 len=0 mss=1460
 */
export function lineOf(decoded: DecodedPacket, options: LineOptions): string {
  const name = options.interfaceName === undefined ? '' : ` ${options.interfaceName}`;
  const { info } = decoded;
  const what = info === '' ? '' : ` ${info}`;
  return `${timeText(options)}${name}${addressesText(decoded)} ${protocolLabel(decoded)}${what}`;
}

/** A packet without addresses starts with its protocol. */
function addressesText({ source, destination, sourcePort, destinationPort }: DecodedPacket): string {
  if (source === undefined && destination === undefined) return '';
  const from = source === undefined ? '?' : endpointText(source, sourcePort);
  const to = destination === undefined ? '?' : endpointText(destination, destinationPort);
  return ` ${from} > ${to}`;
}

/** The name of the innermost protocol that was recognized. */
export function protocolLabel({ protocols }: Pick<DecodedPacket, 'protocols'>): string {
  const last = protocols[protocols.length - 1];
  // What is only a number belongs to the layer around it.
  const named = last === 'other' ? protocols[protocols.length - 2] : last;
  return named === undefined ? 'unknown' : labels[named];
}

const labels: Readonly<Record<Protocol, string>> = {
  ethernet: 'Ethernet',
  'linux-cooked': 'cooked',
  null: 'loopback',
  vlan: 'VLAN',
  arp: 'ARP',
  ipv4: 'IPv4',
  ipv6: 'IPv6',
  icmp: 'ICMP',
  icmpv6: 'ICMPv6',
  tcp: 'TCP',
  udp: 'UDP',
  dns: 'DNS',
  http: 'HTTP',
  tls: 'TLS',
  other: 'unknown',
};
