/** IANA's name of an IP protocol that people meet; else its number. */
export function ipProtocolName(protocol: number): string {
  const name = names.get(protocol);
  return name === undefined ? `IP protocol ${protocol}` : `${name} (IP protocol ${protocol})`;
}

const names: ReadonlyMap<number, string> = new Map([
  [1, 'ICMP'],
  [2, 'IGMP'],
  [4, 'IPv4 in IP'],
  [6, 'TCP'],
  [17, 'UDP'],
  [41, 'IPv6 in IP'],
  [47, 'GRE'],
  [50, 'ESP'],
  [58, 'ICMPv6'],
  [59, 'no next header'],
  [89, 'OSPF'],
  [103, 'PIM'],
  [112, 'VRRP'],
  [132, 'SCTP'],
]);
