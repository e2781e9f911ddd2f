/** What a packet is, read from its bytes: what a line shows and what a filter asks for. Every field is plain data. */
export type DecodedPacket = {
  /** The protocols that were recognized, outermost first. */
  readonly protocols: readonly Protocol[];
  /** IP addresses; of a packet without IP, its link-layer addresses; undefined where there are none. */
  readonly source: string | undefined;
  readonly destination: string | undefined;
  /** TCP or UDP ports. */
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
  /** VLAN IDs, outermost first. */
  readonly vlans: readonly number[];
  readonly tcp: DecodedTcp | undefined;
  /** The innermost data that a search for text looks at: from which byte of the captured bytes to which. */
  readonly payload: ByteSpan;
  /** What the line says after the addresses and the protocol. Has no control characters. */
  readonly info: string;
};

export type Protocol =
  | 'ethernet'
  | 'linux-cooked'
  | 'null'
  | 'vlan'
  | 'arp'
  | 'ipv4'
  | 'ipv6'
  | 'icmp'
  | 'icmpv6'
  | 'tcp'
  | 'udp'
  | 'dns'
  | 'http'
  | 'tls'
  /** IP protocols, EtherTypes and data that are shown only as a number and a length. */
  | 'other';

export type DecodedTcp = {
  /** The byte of RFC 9293: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128. */
  readonly flags: number;
  /** Relative to the first sequence number that was seen in its direction; absolute numbers where nothing is known. */
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly payloadBytes: number;
  /** Carries data, SYN or FIN that was seen before in this direction. */
  readonly isRetransmission: boolean;
};

/** From the first byte to the one after the last, counted from the start of the packet. */
export type ByteSpan = { readonly from: number; readonly to: number };

/** A line of the tree that explains a packet byte by byte. */
export type Field = ByteSpan & {
  /** What people call it: "Source port". */
  readonly name: string;
  readonly value: string;
  readonly children: readonly Field[];
};
