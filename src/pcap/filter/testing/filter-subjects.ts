import type { DecodedPacket, DecodedTcp, Protocol } from '../../decode/decoded-packet.ts';
import type { FilterSubject } from '../matcher.ts';

/** What a test says about a packet. `payload` is text, one byte for each character. */
export type SubjectParts = Partial<Omit<DecodedPacket, 'tcp' | 'payload' | 'protocols'>> & {
  readonly protocols?: readonly Protocol[];
  readonly flags?: number;
  readonly isRetransmission?: boolean;
  readonly payload?: string;
  readonly originalBytes?: number;
  readonly interfaceName?: string;
};

const headerBytes = 5;

/** A packet with this content, between other bytes in its buffer: a header of zeros, then the payload. */
export function subjectOf(parts: SubjectParts): FilterSubject {
  const { flags, isRetransmission = false, payload = '', originalBytes, interfaceName, ...packet } = parts;
  const bytes = Uint8Array.from(payload, (character) => character.charCodeAt(0));
  const buffer = new Uint8Array(headerBytes + bytes.length + 20).fill(0x78);
  const dataAt = 3;
  buffer.fill(0, dataAt, dataAt + headerBytes);
  buffer.set(bytes, dataAt + headerBytes);
  const capturedBytes = headerBytes + bytes.length;
  return {
    packet: {
      protocols: [],
      source: undefined,
      destination: undefined,
      sourcePort: undefined,
      destinationPort: undefined,
      vlans: [],
      info: '',
      ...packet,
      tcp: flags === undefined ? undefined : tcpWith(flags, isRetransmission),
      payload: { from: headerBytes, to: capturedBytes },
    },
    buffer,
    dataAt,
    capturedBytes,
    originalBytes: originalBytes ?? capturedBytes,
    interfaceName,
  };
}

function tcpWith(flags: number, isRetransmission: boolean): DecodedTcp {
  return { flags, isRetransmission, sequence: 0, acknowledgment: 0, payloadBytes: 0 };
}

/** One packet of each kind that filters distinguish. */
export const packets = {
  syn: subjectOf({
    protocols: ['ethernet', 'ipv4', 'tcp'],
    source: '10.0.0.1',
    destination: '10.0.1.2',
    sourcePort: 40_000,
    destinationPort: 80,
    flags: 2,
    originalBytes: 74,
    interfaceName: 'shop/web-7d9f/eth0',
  }),
  synAck: subjectOf({
    protocols: ['ethernet', 'ipv4', 'tcp'],
    source: '10.0.1.2',
    destination: '10.0.0.1',
    sourcePort: 80,
    destinationPort: 40_000,
    flags: 18,
    originalBytes: 74,
    interfaceName: 'shop/web-7d9f/eth0',
  }),
  get: subjectOf({
    protocols: ['ethernet', 'ipv4', 'tcp', 'http'],
    source: '10.0.0.1',
    destination: '10.0.1.2',
    sourcePort: 40_000,
    destinationPort: 8_080,
    flags: 24,
    isRetransmission: true,
    payload: 'GET / HTTP/1.1\r\nHost: example.com\r\n\r\n',
    originalBytes: 1_514,
    interfaceName: 'shop/api/eth0',
  }),
  hello: subjectOf({
    protocols: ['ethernet', 'vlan', 'vlan', 'ipv6', 'tcp', 'tls'],
    source: 'fd00::1',
    destination: '2001:db8::5',
    sourcePort: 50_000,
    destinationPort: 443,
    flags: 24,
    vlans: [100, 7],
    payload: '\x16\x03\x01\x00\xffexample.org',
    interfaceName: 'bank/web/net1',
  }),
  query: subjectOf({
    protocols: ['ethernet', 'ipv4', 'udp', 'dns'],
    source: '10.0.0.1',
    destination: '192.168.0.10',
    sourcePort: 5_353,
    destinationPort: 53,
    payload: '\x07example\x03com\x00',
    info: '1234 A? example.com.',
    interfaceName: 'eth0',
  }),
  finish: subjectOf({
    protocols: ['linux-cooked', 'ipv4', 'tcp'],
    source: '172.16.0.1',
    destination: '172.16.0.2',
    sourcePort: 1,
    destinationPort: 2,
    flags: 0xf5,
  }),
  ping6: subjectOf({
    protocols: ['null', 'ipv6', 'icmpv6'],
    source: 'fe80::1',
    destination: 'ff02::1',
  }),
  ping: subjectOf({
    protocols: ['ethernet', 'ipv4', 'icmp'],
    source: '10.0.0.9',
    destination: '10.0.0.1',
  }),
  arp: subjectOf({
    protocols: ['ethernet', 'arp'],
    source: 'aa:bb:cc:dd:ee:ff',
    destination: 'ff:ff:ff:ff:ff:ff',
    originalBytes: 42,
  }),
} as const satisfies Readonly<Record<string, FilterSubject>>;

export type PacketName = keyof typeof packets;

/** The names of the packets that a filter matches. */
export function matchedBy(matches: (subject: FilterSubject) => boolean): readonly string[] {
  return Object.entries(packets).flatMap(([name, subject]) => (matches(subject) ? [name] : []));
}
