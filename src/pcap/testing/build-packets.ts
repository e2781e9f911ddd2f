/** Bytes of packets, built from the inside out. Checksums are 0: the decoder does not check them. */

export function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function u16(value: number): readonly number[] {
  return [(value >> 8) & 0xff, value & 0xff];
}

export function u32(value: number): readonly number[] {
  return [...u16(value >>> 16), ...u16(value)];
}

export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export type VlanTag = { readonly type: number; readonly vlan: number };

/** An Ethernet frame from 02:00:00:00:00:01 to 02:00:00:00:00:02. */
export function ethernet(etherType: number, payload: Uint8Array, tags: readonly VlanTag[] = []): Uint8Array {
  const types = [...tags.map(({ type }) => type), etherType];
  const tagBytes = tags.flatMap(({ vlan }, i) => [...u16(vlan), ...u16(types[i + 1] ?? 0)]);
  return concat([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], u16(types[0] ?? 0), tagBytes, payload);
}

export type Ipv4 = {
  readonly protocol: number;
  readonly payload: Uint8Array;
  readonly source?: readonly number[];
  readonly destination?: readonly number[];
  readonly options?: readonly number[];
  /** In bytes. */
  readonly fragmentOffset?: number;
  readonly hasMore?: boolean;
  readonly totalLength?: number;
};

export function ipv4(packet: Ipv4): Uint8Array {
  const { payload, source = [10, 0, 0, 1], destination = [10, 0, 0, 2], options = [] } = packet;
  const headerBytes = 20 + options.length;
  const fragment = ((packet.fragmentOffset ?? 0) >> 3) | (packet.hasMore === true ? 0x2000 : 0);
  return concat(
    [0x40 | (headerBytes >> 2), 0],
    u16(packet.totalLength ?? headerBytes + payload.length),
    [...u16(7), ...u16(fragment), 64, packet.protocol, 0, 0],
    [...source, ...destination, ...options],
    payload,
  );
}

/** From 2001:db8::1 to 2001:db8::2. */
export function ipv6(nextHeader: number, payload: Uint8Array, payloadLength = payload.length): Uint8Array {
  const prefix = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  return concat(
    [0x60, 0, 0, 0, ...u16(payloadLength), nextHeader, 64],
    [...prefix, 1, ...prefix, 2],
    payload,
  );
}

export function udp(ports: Ports, payload: Uint8Array): Uint8Array {
  return concat(u16(ports.from), u16(ports.to), u16(8 + payload.length), [0, 0], payload);
}

export type Ports = { readonly from: number; readonly to: number };

export type TcpSegment = Ports & {
  readonly flags: number;
  readonly sequence?: number;
  readonly acknowledgment?: number;
  readonly options?: readonly number[];
  readonly payload?: Uint8Array;
};

export const fin = 1;
export const syn = 2;
export const rst = 4;
export const psh = 8;
export const ack = 16;

export function tcp(segment: TcpSegment): Uint8Array {
  const { options = [], payload = new Uint8Array() } = segment;
  return concat(
    [...u16(segment.from), ...u16(segment.to), ...u32(segment.sequence ?? 1000)],
    [...u32(segment.acknowledgment ?? 0), (20 + options.length) << 2, segment.flags],
    [...u16(64_240), 0, 0, 0, 0, ...options],
    payload,
  );
}

/** An Ethernet frame with a TCP segment over IPv4. */
export function tcpFrame(segment: TcpSegment): Uint8Array {
  return ethernet(0x0800, ipv4({ protocol: 6, payload: tcp(segment) }));
}

/** An Ethernet frame with a UDP datagram over IPv4. */
export function udpFrame(ports: Ports, payload: Uint8Array): Uint8Array {
  return ethernet(0x0800, ipv4({ protocol: 17, payload: udp(ports, payload) }));
}

export type DnsMessage = {
  readonly flags?: number;
  readonly questions?: readonly (readonly number[])[];
  readonly answers?: readonly (readonly number[])[];
};

export function dns({ flags = 0x0100, questions = [], answers = [] }: DnsMessage): Uint8Array {
  const counts = [...u16(questions.length), ...u16(answers.length), 0, 0, 0, 0];
  return concat([0x12, 0x34, ...u16(flags), ...counts], questions.flat(), answers.flat());
}

/** The labels of a name, and the zero at its end. */
export function dnsName(name: string): readonly number[] {
  return [...name.split('.').flatMap((label) => [ascii(label).length, ...ascii(label)]), 0];
}

export function dnsQuestion(name: readonly number[], type: number): readonly number[] {
  return [...name, ...u16(type), 0, 1];
}

export function dnsAnswer(name: readonly number[], type: number, data: readonly number[]): readonly number[] {
  return [...name, ...u16(type), 0, 1, ...u32(60), ...u16(data.length), ...data];
}

/** A TLS record with one handshake message. */
export function tlsHandshake(type: number, body: Uint8Array): Uint8Array {
  const message = concat([type, 0], u16(body.length), body);
  return concat([22, 3, 1], u16(message.length), message);
}

/** Extensions of a hello with their lengths. */
export function tlsExtensions(
  extensions: readonly (readonly [type: number, data: Uint8Array])[],
): Uint8Array {
  const bytes = concat(...extensions.map(([type, data]) => concat(u16(type), u16(data.length), data)));
  return concat(u16(bytes.length), bytes);
}

export function clientHello(serverName: string, extensions: readonly (readonly [number, Uint8Array])[] = []) {
  const name = ascii(serverName);
  const list = concat([0], u16(name.length), name);
  const ciphers = [0x13, 0x01, 0xc0, 0x2f];
  return tlsHandshake(
    1,
    concat(
      [3, 3, ...Array.from({ length: 32 }, () => 7), 0, ...u16(ciphers.length), ...ciphers, 1, 0],
      tlsExtensions([[0, concat(u16(list.length), list)], ...extensions]),
    ),
  );
}

export function serverHello(cipher: number, extensions: readonly (readonly [number, Uint8Array])[] = []) {
  const fixed = [3, 3, ...Array.from({ length: 32 }, () => 7), 0, ...u16(cipher), 0];
  return tlsHandshake(2, concat(fixed, tlsExtensions(extensions)));
}
