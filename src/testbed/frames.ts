/** A VLAN tag: its Ethernet type, for VLANs of a customer or of a provider, and its VLAN identifier. */
export type Tag = { readonly type: 0x8100 | 0x88a8; readonly id: number };

/** What is in an IP packet. */
export type Payload = { readonly protocol: number; readonly bytes: Uint8Array };

const etherTypes = { 4: 0x0800, 6: 0x86dd } as const;
/** Locally administered; no interface has the sender's. */
const macs = { to: '020000000002', from: '0200000000ff' };
/** In 2001:db8::/32, RFC 3849. */
const addresses = {
  from: '20010db8000000000000000000000009',
  to: '20010db8000000000000000000000002',
};

/** A frame to the Pod of a veth testbed, from nobody there; the outermost tag comes first. */
export function frameOf(packet: Uint8Array, tags: readonly Tag[] = []): Uint8Array {
  const version = (packet[0] ?? 0) >> 4 === 4 ? 4 : 6;
  return Buffer.concat([
    Buffer.from(macs.to + macs.from, 'hex'),
    ...tags.map(({ type, id }) => uint16s(type, id)),
    uint16s(etherTypes[version]),
    packet,
  ]);
}

/** An IPv4 packet. */
export function ipv4(payload: Payload): Uint8Array {
  return ipv4Part(payload, 0);
}

/** An IPv4 packet in two fragments, of which the first has that many bytes of the payload, a multiple of 8. */
export function ipv4Fragments({ protocol, bytes }: Payload, firstBytes: number): [Uint8Array, Uint8Array] {
  const moreFollow = 0x2000;
  return [
    ipv4Part({ protocol, bytes: bytes.subarray(0, firstBytes) }, moreFollow),
    ipv4Part({ protocol, bytes: bytes.subarray(firstBytes) }, firstBytes / 8),
  ];
}

function ipv4Part({ protocol, bytes }: Payload, flagsAndOffset: number): Uint8Array {
  const header = Buffer.concat([
    uint16s(0x4500, 20 + bytes.length, 1, flagsAndOffset),
    Buffer.from([64, protocol]),
    uint16s(0),
    Buffer.from([192, 0, 2, 9, 192, 0, 2, 2]),
  ]);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, bytes]);
}

/** An IPv6 packet. */
export function ipv6({ protocol, bytes }: Payload): Uint8Array {
  return Buffer.concat([
    uint16s(0x6000, 0, bytes.length),
    Buffer.from([protocol, 64]),
    Buffer.from(addresses.from + addresses.to, 'hex'),
    bytes,
  ]);
}

/** An IPv6 packet in two fragments, as ipv4Fragments(). */
export function ipv6Fragments({ protocol, bytes }: Payload, firstBytes: number): [Uint8Array, Uint8Array] {
  const part = (offsetAndFlag: number, some: Uint8Array) => {
    const header = Buffer.concat([Buffer.from([protocol, 0]), uint16s(offsetAndFlag, 0, 1)]);
    return ipv6({ protocol: 44, bytes: Buffer.concat([header, some]) });
  };
  return [part(1, bytes.subarray(0, firstBytes)), part(firstBytes, bytes.subarray(firstBytes))];
}

/** A payload behind an IPv6 header of that many bytes, a multiple of 8, with options that do nothing. */
export function ipv6Options(
  kind: 'hopByHop' | 'destination',
  { protocol, bytes }: Payload,
  headerBytes: number,
): Payload {
  const padding = Buffer.alloc(headerBytes - 4);
  const header = [protocol, headerBytes / 8 - 1, 1, padding.length];
  return {
    protocol: kind === 'hopByHop' ? 0 : 60,
    bytes: Buffer.concat([Buffer.from(header), padding, bytes]),
  };
}

/** A TCP segment from that port. */
export function tcp(port: number, text: string): Payload {
  const header = uint16s(port, 40_000, 0, 1, 0, 1, 0x5018, 512, 0, 0);
  return { protocol: 6, bytes: Buffer.concat([header, Buffer.from(text)]) };
}

/** A UDP datagram from that port. */
export function udp(port: number, text: string): Payload {
  return {
    protocol: 17,
    bytes: Buffer.concat([uint16s(port, 40_000, 8 + text.length, 0), Buffer.from(text)]),
  };
}

function uint16s(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * numbers.length);
  for (const [index, number] of numbers.entries()) bytes.writeUInt16BE(number, 2 * index);
  return bytes;
}

function checksum(header: Buffer): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
  return ~sum & 0xffff;
}
