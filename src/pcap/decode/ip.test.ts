import { expect, test } from 'vitest';
import { ascii, concat, ethernet, ipv4, ipv6, psh, tcp, u16, u32, udp } from '../testing/build-packets.ts';
import { decodeOne } from '../testing/decode-packets.ts';

const datagram = udp({ from: 1, to: 2 }, ascii('abcd'));

test('padding of Ethernet is no payload', () => {
  const packet = ethernet(0x0800, concat(ipv4({ protocol: 17, payload: datagram }), new Uint8Array(14)));
  expect(decodeOne(packet)).toMatchObject({ payload: { from: 42, to: 46 }, info: 'len=4' });
  const packet6 = ethernet(0x86dd, concat(ipv6(17, datagram), new Uint8Array(14)));
  expect(decodeOne(packet6)).toMatchObject({ payload: { from: 62, to: 66 }, info: 'len=4' });
});

test('options of IPv4 are skipped', () => {
  const options = [148, 4, 0, 0, 1, 1, 1, 0];
  expect(decodeOne(ipv4({ protocol: 17, payload: datagram, options }), 101)).toMatchObject({
    sourcePort: 1,
    info: 'len=4',
  });
});

test('a packet whose length field is 0 or too large goes up to its end', () => {
  const payload = tcp({ from: 1, to: 2, flags: psh, payload: new Uint8Array(70_000) });
  for (const totalLength of [0, 65_535]) {
    const packet = ipv4({ protocol: 6, payload: payload.subarray(0, 5_020), totalLength });
    expect(decodeOne(packet, 101).tcp).toMatchObject({ payloadBytes: 5_000 });
  }
  expect(decodeOne(ipv4({ protocol: 6, payload, totalLength: 0 }), 101).tcp).toMatchObject({
    payloadBytes: 70_000,
  });
  expect(decodeOne(ipv6(6, payload, 0), 101).tcp).toMatchObject({ payloadBytes: 70_000 });
});

test.each([0, 7])('a UDP datagram whose length field is %i goes up to the end of the packet', (length) => {
  const payload = Uint8Array.from(datagram).fill(length, 5, 6);
  expect(decodeOne(ipv4({ protocol: 17, payload }), 101)).toMatchObject({ info: 'len=4' });
});

test('a UDP datagram ends where its length field says', () => {
  const payload = Uint8Array.from(datagram).fill(9, 5, 6);
  expect(decodeOne(ipv4({ protocol: 17, payload }), 101)).toMatchObject({
    info: 'len=1',
    payload: { from: 28, to: 29 },
  });
});

test('an IPv6 packet with a jumbo payload option is as long as that says', () => {
  const payload = tcp({ from: 1, to: 2, flags: psh, payload: new Uint8Array(70_000) });
  const hopByHop = concat([6, 0, 0xc2, 4], u32(8 + payload.length));
  const packet = ipv6(0, concat(hopByHop, payload, new Uint8Array(30)), 0);
  expect(decodeOne(packet, 101).tcp).toMatchObject({ payloadBytes: 70_000 });
});

test.each([
  [
    'total length below the header',
    ipv4({ protocol: 17, payload: datagram, totalLength: 19 }),
    'malformed: header of 20 bytes in a packet of 19',
  ],
  [
    'header length below 20',
    concat([0x44], ipv4({ protocol: 17, payload: datagram }).subarray(1)),
    'malformed: header of 16 bytes in a packet of 32',
  ],
  [
    'header length above the packet',
    concat([0x4f], ipv4({ protocol: 17, payload: datagram }).subarray(1)),
    'malformed: header of 60 bytes in a packet of 32',
  ],
])('IPv4 with a %s is malformed', (_name, bytes, info) => {
  expect(decodeOne(bytes, 101)).toMatchObject({
    protocols: ['ipv4'],
    source: '10.0.0.1',
    sourcePort: undefined,
    info,
  });
});

test('only the first fragment has ports', () => {
  const fragment = { protocol: 17, payload: datagram, hasMore: true };
  expect(decodeOne(ipv4(fragment), 101)).toMatchObject({
    protocols: ['ipv4', 'udp'],
    sourcePort: 1,
    info: 'len=4 [first fragment, ID 7]',
  });
  expect(decodeOne(ipv4({ ...fragment, fragmentOffset: 1480 }), 101)).toMatchObject({
    protocols: ['ipv4', 'other'],
    sourcePort: undefined,
    info: 'UDP (IP protocol 17) fragment at 1480, ID 7, length 12',
  });
  const last = concat([17, 0], u16(1480), u32(9), datagram);
  expect(decodeOne(ipv6(44, last), 101)).toMatchObject({
    protocols: ['ipv6', 'other'],
    info: 'UDP (IP protocol 17) fragment at 1480, the last, ID 9, length 12',
  });
});

test('extension headers of IPv6 are skipped, in any order', () => {
  const options = (next: number) => [next, 0, 1, 4, 0, 0, 0, 0];
  const fragment = [51, 0, 0, 0, 0, 0, 0, 1];
  const authentication = [60, 4, 0, 0, ...u32(1), ...u32(1), ...new Uint8Array(12)];
  const routing = [44, 2, 4, 0, ...new Uint8Array(20)];
  const packet = ipv6(0, concat(options(43), routing, fragment, authentication, options(17), datagram));
  expect(decodeOne(packet, 101)).toMatchObject({ protocols: ['ipv6', 'udp'], sourcePort: 1, info: 'len=4' });
});

test('extension headers without end are not followed without end', () => {
  const packet = ipv6(60, concat(...Array.from({ length: 100 }, () => [60, 0, 1, 4, 0, 0, 0, 0])));
  expect(decodeOne(packet, 101)).toMatchObject({
    protocols: ['ipv6', 'other'],
    info: 'IP protocol 60, length 736',
  });
});

test.each([
  ['12 bytes', concat([17, 1, 0, 0], u32(1), u32(1), datagram)],
  ['8 bytes, without a sequence number', concat([17, 0, 0, 0], u32(1), datagram)],
])('an authentication header of %s in IPv4 is skipped', (_name, payload) => {
  expect(decodeOne(ipv4({ protocol: 51, payload }), 101)).toMatchObject({ sourcePort: 1, info: 'len=4' });
});

test.each([
  [132, 'SCTP (IP protocol 132), length 4'],
  [47, 'GRE (IP protocol 47), length 4'],
  [254, 'IP protocol 254, length 4'],
])('IP protocol %i is a number and a length', (protocol, info) => {
  const packet = ipv4({ protocol, payload: ascii('abcd') });
  expect(decodeOne(packet, 101)).toMatchObject({ protocols: ['ipv4', 'other'], info });
});

test.each([
  [[8, 0, 0, 0, 0, 7, 0, 1, 1, 2], 'echo request id=7 seq=1 len=2'],
  [[0, 0, 0, 0, 0, 7, 0, 1], 'echo reply id=7 seq=1 len=0'],
  [[3, 3, 0, 0, 0, 0, 0, 0], 'destination unreachable: port unreachable'],
  [[11, 0, 0, 0, 0, 0, 0, 0], 'time exceeded'],
  [[5, 1, 0, 0, 10, 0, 0, 1], 'redirect, code 1'],
  [[99, 0, 0, 0], 'type 99'],
])('ICMP %j', (bytes, info) => {
  const packet = ipv4({ protocol: 1, payload: Uint8Array.from(bytes) });
  expect(decodeOne(packet, 101)).toMatchObject({ protocols: ['ipv4', 'icmp'], info });
});

/** Of a packet to 10.9.8.7, as a message of ICMP carries it: as few bytes as RFC 792 wants. */
const embedded4 = (protocol: number, options: readonly number[] = []) => [
  ...ipv4({ protocol, payload: concat(u16(1), u16(53), u32(0)), destination: [10, 9, 8, 7], options }),
];
const lateFragment = [
  ...ipv4({
    protocol: 17,
    payload: new Uint8Array(8).fill(9),
    destination: [10, 9, 8, 7],
    fragmentOffset: 8,
  }),
];

test.each([
  [[3, 3], embedded4(17), 'destination unreachable: port unreachable: 10.9.8.7:53 UDP'],
  [[3, 1], embedded4(6, [1, 1, 1, 0]), 'destination unreachable: host unreachable: 10.9.8.7:53 TCP'],
  [[3, 2], embedded4(132), 'destination unreachable: protocol unreachable: 10.9.8.7'],
  [[11, 0], embedded4(1), 'time exceeded: 10.9.8.7 ICMP'],
  [[5, 1], embedded4(17), 'redirect, code 1: 10.9.8.7:53 UDP'],
  [[11, 1], lateFragment, 'time exceeded, code 1: 10.9.8.7 UDP'],
  [[11, 0], embedded4(17).slice(0, 24), 'time exceeded: 10.9.8.7:53 UDP'],
  [[11, 0], embedded4(17).slice(0, 23), 'time exceeded: 10.9.8.7 UDP'],
  [[11, 0], embedded4(17).slice(0, 19), 'time exceeded'],
  [[11, 0], embedded4(17).with(0, 0x44), 'time exceeded'],
  [[11, 0], embedded4(17).with(0, 0x4f), 'time exceeded: 10.9.8.7 UDP'],
  [[11, 0], embedded4(17).with(0, 0x55), 'time exceeded'],
  [[11, 0], embedded4(17).with(0, 0x65), 'time exceeded'],
  [[0, 0], embedded4(17), 'echo reply id=0 seq=0 len=28'],
])('ICMP %j about %j', (typeAndCode, about, info) => {
  const payload = concat(typeAndCode, [0, 0, 0, 0, 0, 0], about);
  expect(decodeOne(ipv4({ protocol: 1, payload }), 101)).toMatchObject({
    protocols: ['ipv4', 'icmp'],
    source: '10.0.0.1',
    destination: '10.0.0.2',
    sourcePort: undefined,
    info,
  });
});

const target = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

test.each([
  [[128, 0, 0, 0, 0, 7, 0, 1], 'echo request id=7 seq=1 len=0'],
  [[1, 4, 0, 0, 0, 0, 0, 0], 'destination unreachable: port unreachable'],
  [[2, 0, 0, 0, 0, 0, 5, 0], 'packet too big, MTU 1280'],
  [[133, 0, 0, 0, 0, 0, 0, 0], 'router solicitation'],
  [[135, 0, 0, 0, 0, 0, 0, 0, ...target], 'neighbor solicitation, who has fe80::9'],
  [
    [136, 0, 0, 0, 0, 0, 0, 0, ...target, 2, 1, 2, 0, 0, 0, 0, 9],
    'neighbor advertisement, fe80::9 is at 02:00:00:00:00:09',
  ],
  [[136, 0, 0, 0, 0, 0, 0, 0, ...target], 'neighbor advertisement, fe80::9'],
])('ICMPv6 %j', (bytes, info) => {
  expect(decodeOne(ipv6(58, Uint8Array.from(bytes)), 101)).toMatchObject({
    protocols: ['ipv6', 'icmpv6'],
    info,
  });
});

const embedded6 = (next: number) => [...ipv6(next, concat(u16(1), u16(53), u32(0)))];

test.each([
  [[1, 4], embedded6(17), /^destination unreachable: port unreachable: \[[0-9a-f:]+\]:53 UDP$/],
  [[2, 0], embedded6(6), /^packet too big, MTU 0: \[[0-9a-f:]+\]:53 TCP$/],
  [[3, 0], embedded6(58), /^time exceeded: [0-9a-f:]+ ICMPv6$/],
  [[3, 0], embedded6(17).slice(0, 43), /^time exceeded: [0-9a-f:]+ UDP$/],
  [[3, 0], embedded6(17).slice(0, 39), /^time exceeded$/],
  [[128, 0], embedded6(17), /^echo request id=0 seq=0 len=48$/],
])('ICMPv6 %j about %j', (typeAndCode, about, info) => {
  const packet = ipv6(58, concat(typeAndCode, [0, 0, 0, 0, 0, 0], about));
  expect(decodeOne(packet, 101).info).toMatch(info);
});
