/** A UDP datagram of a captured frame. */
export type UdpDatagram = {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** The captured part of it. */
  readonly payload: Uint8Array;
};

const ethernet = 1;

/** Decodes UDP over IPv4, or IPv6 without extension headers, over Ethernet; undefined for anything else. */
export function udpPayload(data: Uint8Array, linkType: number): UdpDatagram | undefined {
  if (linkType !== ethernet || data.length < 14) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const packet = data.subarray(14);
  const etherType = view.getUint16(12);
  if (etherType === 0x0800) return fromIpv4(packet);
  if (etherType === 0x86dd) return fromIpv6(packet);
  return undefined;
}

const udp = 17;

function fromIpv4(packet: Uint8Array): UdpDatagram | undefined {
  const headerBytes = ((packet[0] ?? 0) & 0x0f) * 4;
  if (packet.length < headerBytes + 8 || packet[9] !== udp) return undefined;
  const address = (at: number) => packet.subarray(at, at + 4).join('.');
  return { source: address(12), destination: address(16), ...fromUdp(packet.subarray(headerBytes)) };
}

function fromIpv6(packet: Uint8Array): UdpDatagram | undefined {
  if (packet.length < 48 || packet[6] !== udp) return undefined;
  const groups = (at: number) => Array.from({ length: 8 }, (_, i) => uint16(packet, at + 2 * i).toString(16));
  // The URL parser formats an address as RFC 5952 requires.
  const address = (at: number) => new URL(`http://[${groups(at).join(':')}]`).hostname.slice(1, -1);
  return { source: address(8), destination: address(24), ...fromUdp(packet.subarray(40)) };
}

function fromUdp(datagram: Uint8Array): Omit<UdpDatagram, 'source' | 'destination'> {
  return {
    sourcePort: uint16(datagram, 0),
    destinationPort: uint16(datagram, 2),
    // The length field does not include the padding of a short Ethernet frame.
    payload: datagram.subarray(8, uint16(datagram, 4)),
  };
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
