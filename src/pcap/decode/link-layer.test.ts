import { expect, test } from 'vitest';
import { ascii, concat, ethernet, ipv4, ipv6, u16, udp, udpFrame } from '../testing/build-packets.ts';
import { decodeOne } from '../testing/decode-packets.ts';

const datagram = udp({ from: 40_000, to: 9 }, ascii('hello'));
const ip4 = ipv4({ protocol: 17, payload: datagram });
const ip6 = ipv6(17, datagram);
const cookedAddress = [0, 6, 2, 0, 0, 0, 0, 1, 0, 0];

test.each([
  ['Ethernet', 1, ethernet(0x0800, ip4), ['ethernet', 'ipv4', 'udp']],
  ['Linux cooked v1', 113, concat([0, 0, 0, 1], cookedAddress, [8, 0], ip4), ['linux-cooked', 'ipv4', 'udp']],
  [
    'Linux cooked v2',
    276,
    concat([0x86, 0xdd, 0, 0, 0, 0, 0, 3, 0, 1, 4], cookedAddress.slice(1), ip6),
    ['linux-cooked', 'ipv6', 'udp'],
  ],
  [
    'Linux cooked v1 with a VLAN',
    113,
    concat([0, 0, 0, 1], cookedAddress, [0x81, 0, 0, 5, 8, 0], ip4),
    ['linux-cooked', 'vlan', 'ipv4', 'udp'],
  ],
  ['loopback of a little-endian machine', 0, concat([2, 0, 0, 0], ip4), ['null', 'ipv4', 'udp']],
  ['loopback of a big-endian machine', 0, concat([0, 0, 0, 2], ip4), ['null', 'ipv4', 'udp']],
  ['loopback of macOS with IPv6', 0, concat([30, 0, 0, 0], ip6), ['null', 'ipv6', 'udp']],
  ['loopback of OpenBSD with IPv6', 108, concat([0, 0, 0, 24], ip6), ['null', 'ipv6', 'udp']],
  ['raw IP, version 4', 101, ip4, ['ipv4', 'udp']],
  ['raw IP, version 6', 101, ip6, ['ipv6', 'udp']],
  ['DLT_RAW as it is', 12, ip4, ['ipv4', 'udp']],
  ['DLT_RAW of OpenBSD as it is', 14, ip6, ['ipv6', 'udp']],
  ['raw IPv4', 228, ip4, ['ipv4', 'udp']],
  ['raw IPv6', 229, ip6, ['ipv6', 'udp']],
])('%s', (_name, linkType, bytes, protocols) => {
  const decoded = decodeOne(bytes, linkType);
  expect(decoded).toMatchObject({ protocols, sourcePort: 40_000, destinationPort: 9, info: 'len=5' });
  expect(bytes.subarray(decoded.payload.from, decoded.payload.to)).toEqual(ascii('hello'));
});

test.each([
  ['an unknown link type', 147, ip4, ['other'], 'link type 147, length 33'],
  [
    'a netlink message in a cooked capture',
    113,
    concat([0, 0, 3, 56, 0, 0], new Uint8Array(8), [0, 16]),
    ['linux-cooked', 'other'],
    'ARPHRD 824 protocol 16, length 0',
  ],
  [
    'an unknown EtherType',
    1,
    ethernet(0x88cc, ascii('abc')),
    ['ethernet', 'other'],
    'EtherType 0x88cc, length 3',
  ],
  [
    'spanning tree',
    1,
    ethernet(38, concat([0x42, 0x42, 3], new Uint8Array(35))),
    ['ethernet', 'other'],
    '802.2 LLC, DSAP 0x42, length 38',
  ],
  ['an unknown address family', 0, concat([99, 0, 0, 0]), ['null', 'other'], 'address family 99, length 0'],
  ['raw IP of another version', 101, Uint8Array.of(0x50), ['other'], 'IP version 5, length 1'],
  [
    'IPv6 that is announced as IPv4',
    1,
    ethernet(0x0800, ip6),
    ['ethernet', 'other'],
    'IP version 6 in place of 4, length 53',
  ],
  ['a frame of 5 bytes', 1, new Uint8Array(5), ['ethernet'], 'Ethernet header is cut off'],
  ['nothing at all', 101, new Uint8Array(), [], 'IP header is cut off'],
])('%s is named, not guessed', (_name, linkType, bytes, protocols, info) => {
  expect(decodeOne(bytes, linkType)).toMatchObject({ protocols, info });
});

test('VLAN tags of any kind are listed outermost first, up to eight', () => {
  const tags = [
    { type: 0x88a8, vlan: 200 },
    { type: 0x8100, vlan: 2001 },
  ];
  expect(decodeOne(ethernet(0x0800, ip4, tags))).toMatchObject({
    protocols: ['ethernet', 'vlan', 'vlan', 'ipv4', 'udp'],
    vlans: [200, 2001],
  });
  const many = Array.from({ length: 12 }, (_, i) => ({ type: 0x8100, vlan: i }));
  expect(decodeOne(ethernet(0x0800, ip4, many))).toMatchObject({
    vlans: [0, 1, 2, 3, 4, 5, 6, 7],
    info: expect.stringContaining('EtherType 0x8100'),
  });
});

test('a packet without IP has the addresses of the link layer', () => {
  const addresses = { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' };
  expect(decodeOne(ethernet(0x88cc, ascii('abc')))).toMatchObject(addresses);
  const cooked = concat([0, 0, 0, 1], cookedAddress, [0x88, 0xcc]);
  expect(decodeOne(cooked, 113)).toMatchObject({ source: '02:00:00:00:00:01', destination: undefined });
});

test.each([
  ['a question', [0, 1], [10, 0, 0, 2], 'who has 10.0.0.2? tell 10.0.0.1'],
  ['an answer', [0, 2], [10, 0, 0, 2], '10.0.0.1 is at 02:00:00:00:00:01'],
  ['an announcement', [0, 1], [10, 0, 0, 1], 'announcement of 10.0.0.1'],
  ['another operation', [0, 9], [10, 0, 0, 2], 'operation 9'],
])('ARP: %s', (_name, operation, target, info) => {
  const sender = [2, 0, 0, 0, 0, 1, 10, 0, 0, 1];
  const message = concat(u16(1), [8, 0, 6, 4], operation, sender, [0, 0, 0, 0, 0, 0], target);
  expect(decodeOne(ethernet(0x0806, message))).toMatchObject({ protocols: ['ethernet', 'arp'], info });
});

test('RARP is read as ARP', () => {
  const message = concat(u16(1), [8, 0, 6, 4, 0, 3], new Uint8Array(20));
  expect(decodeOne(ethernet(0x8035, message))).toMatchObject({
    protocols: ['ethernet', 'arp'],
    info: 'RARP request',
  });
});

test('what was not captured is said, and decoded as far as it goes', () => {
  const frame = udpFrame({ from: 40_000, to: 9 }, new Uint8Array(100));
  expect(decodeOne(frame.subarray(0, 50), 1, { originalBytes: 142 })).toMatchObject({
    sourcePort: 40_000,
    payload: { from: 42, to: 50 },
    info: 'len=100 [50 of 142 bytes captured]',
  });
  expect(decodeOne(frame.subarray(0, 38), 1, { originalBytes: 142 })).toMatchObject({
    source: '10.0.0.1',
    destinationPort: 9,
    info: 'UDP header was not captured [38 of 142 bytes captured]',
  });
});
