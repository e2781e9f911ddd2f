/** What filters find of some kinds of packets, which differs from what people expect; docs/annotations.md has the tables. */
export type FilterExamples<Frame extends string = string> = {
  readonly title: string;
  /** Before the table. */
  readonly introduction: string;
  /** The columns. */
  readonly frames: Readonly<Record<Frame, string>>;
  readonly filters: readonly FilterExample<Frame>[];
};

export type FilterExample<Frame extends string = string> = {
  readonly filter: string;
  readonly finds: readonly Frame[];
  /** What it finds where each tag is a part of its frame; undefined if that is the same. */
  readonly findsIfPart?: readonly Frame[];
};

export type VlanFrame = 'untagged' | 'vlan0' | 'vlan100' | 'qinq' | 'otherPort';
export type FragmentFrame = 'ipv4First' | 'ipv4Later' | 'ipv6First' | 'ipv6Later' | 'otherPortLater';
export type ExtensionFrame = 'none' | 'hopByHop' | 'longHopByHop' | 'destination';

export const vlanExamples: FilterExamples<VlanFrame> = {
  title: 'VLAN tags',
  introduction:
    'The kernel keeps the outer tag of a frame beside it, so `tcp port 80` finds frames with one tag. Where the tag is a part of the frame, `tcp port 80` finds only untagged ones: in a capture file, read with `tcpdump -r`, and in what a program in the Pod sends through a raw socket. After `vlan`, the rest of the filter looks behind the tag, even after `or`.',
  frames: {
    untagged: 'port 80, no tag',
    vlan0: 'port 80, VLAN 0',
    vlan100: 'port 80, VLAN 100',
    qinq: 'port 80, QinQ',
    otherPort: 'other ports, VLAN 100',
  },
  filters: [
    { filter: 'tcp port 80', finds: ['untagged', 'vlan0', 'vlan100'], findsIfPart: ['untagged'] },
    { filter: 'vlan and tcp port 80', finds: ['vlan0', 'vlan100'] },
    { filter: 'vlan or tcp port 80', finds: ['vlan0', 'vlan100', 'qinq', 'otherPort'] },
    { filter: 'tcp port 80 or vlan', finds: ['untagged', 'vlan0', 'vlan100', 'qinq', 'otherPort'] },
    {
      filter: 'tcp port 80 or (vlan and (tcp port 80 or (vlan and tcp port 80)))',
      finds: ['untagged', 'vlan0', 'vlan100', 'qinq'],
    },
  ],
};

export const fragmentExamples: FilterExamples<FragmentFrame> = {
  title: 'Fragments',
  introduction:
    'Only the first fragment of a packet has ports, so the last filter finds the later fragments of all UDP packets. In IPv6, `port` finds not even the first one.',
  frames: {
    ipv4First: 'port 53, IPv4, first fragment',
    ipv4Later: 'port 53, IPv4, later fragments',
    ipv6First: 'port 53, IPv6, first fragment',
    ipv6Later: 'port 53, IPv6, later fragments',
    otherPortLater: 'other ports, later fragments',
  },
  filters: [
    { filter: 'udp port 53', finds: ['ipv4First'] },
    {
      filter: 'udp port 53 or (udp and (ip[6:2] & 0x1fff != 0 or ip6[6] = 44))',
      finds: ['ipv4First', 'ipv4Later', 'ipv6First', 'ipv6Later', 'otherPortLater'],
    },
  ],
};

export const extensionExamples: FilterExamples<ExtensionFrame> = {
  title: 'IPv6 extension headers',
  introduction:
    'A filter looks for a port right behind the IPv6 header. The last one looks behind one extension header, too. `protochain`, which would look behind all of them, is a loop, and is refused.',
  frames: {
    none: 'no extension header',
    hopByHop: 'hop-by-hop header of 8 bytes',
    longHopByHop: 'hop-by-hop header of 24 bytes',
    destination: 'destination options',
  },
  filters: [
    { filter: 'tcp port 5201', finds: ['none'] },
    { filter: 'ip6', finds: ['none', 'hopByHop', 'longHopByHop', 'destination'] },
    {
      filter:
        'tcp port 5201 or ((ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 60) and ip6[40] = 6 and (ip6[48 + 8 * ip6[41]:2] = 5201 or ip6[50 + 8 * ip6[41]:2] = 5201))',
      finds: ['none', 'hopByHop', 'longHopByHop', 'destination'],
    },
  ],
};
