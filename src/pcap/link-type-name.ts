/** What people call a link type, with its number: tcpdump.org/linktypes.html. */
export function linkTypeName(linkType: number): string {
  const name = names.get(linkType);
  return name === undefined ? `link type ${linkType}` : `${name} (link type ${linkType})`;
}

const names: ReadonlyMap<number, string> = new Map([
  [0, 'BSD loopback'],
  [1, 'Ethernet'],
  [9, 'PPP'],
  [12, 'raw IP'],
  [14, 'raw IP'],
  [101, 'raw IP'],
  [105, 'IEEE 802.11'],
  [108, 'OpenBSD loopback'],
  [113, 'Linux cooked v1'],
  [127, 'IEEE 802.11 with radiotap'],
  [189, 'USB'],
  [220, 'USB'],
  [227, 'CAN'],
  [228, 'raw IPv4'],
  [229, 'raw IPv6'],
  [239, 'NFLOG'],
  [240, 'NetAnalyzer'],
  [242, 'IP over InfiniBand'],
  [253, 'Linux netlink'],
  [271, 'vsock'],
  [276, 'Linux cooked v2'],
]);
