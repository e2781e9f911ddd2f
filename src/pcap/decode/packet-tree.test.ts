import { expect, test } from 'vitest';
import {
  ack,
  ascii,
  clientHello,
  dns,
  dnsName,
  dnsQuestion,
  ethernet,
  ipv4,
  syn,
  tcpFrame,
  udp,
  udpFrame,
} from '../testing/build-packets.ts';
import { packetOf } from '../testing/decode-packets.ts';
import type { Field } from './decoded-packet.ts';
import { packetTree } from './packet-tree.ts';

/** The tree as lines: from-to, name, value. */
function lines(fields: readonly Field[], indent = ''): readonly string[] {
  return fields.flatMap(({ from, to, name, value, children }) => [
    `${indent}${from}-${to} ${name}${value === '' ? '' : `: ${value}`}`,
    ...lines(children, `${indent}  `),
  ]);
}

function treeOf(bytes: Uint8Array, originalBytes = bytes.length): readonly string[] {
  return lines(packetTree(packetOf(bytes, { originalBytes }), 1));
}

test('each byte of a packet is explained', () => {
  const frame = ethernet(0x0800, ipv4({ protocol: 17, payload: udp({ from: 7, to: 9 }, ascii('abc')) }), [
    { type: 0x8100, vlan: 5 },
  ]);
  expect(treeOf(Uint8Array.from([...frame, 0, 0]))).toEqual([
    '0-14 Ethernet',
    '  0-6 Destination: 02:00:00:00:00:02',
    '  6-12 Source: 02:00:00:00:00:01',
    '  12-14 Type: 0x8100',
    '14-18 VLAN tag: 5',
    '  14-15 Priority: 0',
    '  14-15 Drop eligible: no',
    '  14-16 VLAN ID: 5',
    '  16-18 Type: 0x0800',
    '18-38 IPv4',
    '  18-19 Version: 4',
    '  18-19 Header length: 20',
    '  19-20 Traffic class: 0x00',
    '  20-22 Total length: 31',
    '  22-24 Identification: 0x0007',
    '  24-25 Flags: none',
    '  24-26 Fragment offset: 0',
    '  26-27 Time to live: 64',
    '  27-28 Protocol: 17',
    '  28-30 Header checksum: 0x0000',
    '  30-34 Source: 10.0.0.1',
    '  34-38 Destination: 10.0.0.2',
    '38-46 UDP',
    '  38-40 Source port: 7',
    '  40-42 Destination port: 9',
    '  42-44 Length: 11',
    '  44-46 Checksum: 0x0000',
    '46-49 Data: 3 bytes',
    '49-51 Padding: 2 bytes',
  ]);
});

test('the tree ends where the captured bytes end', () => {
  const frame = udpFrame({ from: 7, to: 9 }, ascii('abc'));
  expect(treeOf(frame.subarray(0, 38), frame.length).slice(-4)).toEqual([
    '34-38 UDP',
    '  34-36 Source port: 7',
    '  36-38 Destination port: 9',
    '38-38 Not captured: 7 bytes',
  ]);
});

test('sequence numbers and options of TCP are as they are in the packet', () => {
  const frame = tcpFrame({
    from: 1,
    to: 2,
    flags: syn,
    sequence: 4_000_000_000,
    options: [2, 4, 5, 0xb4, 1, 1, 1, 0],
  });
  const tree = treeOf(frame);
  expect(tree).toContain('  38-42 Sequence number: 4000000000');
  expect(tree).toContain('  47-48 Flags: [SYN]');
  expect(tree.slice(-5)).toEqual([
    '  54-58 Option: mss=1460',
    '  58-59 Option: nop',
    '  59-60 Option: nop',
    '  60-61 Option: nop',
    '  61-62 Option: end of options',
  ]);
});

test('names, lines and hellos are where they are in the packet', () => {
  const query = udpFrame({ from: 7, to: 53 }, dns({ questions: [dnsQuestion(dnsName('a.b'), 1)] }));
  expect(treeOf(query).slice(-2)).toEqual(['  52-54 Additional records: 0', '  54-63 Question: A a.b']);
  const request = tcpFrame({
    from: 1,
    to: 2,
    flags: ack,
    payload: ascii('GET / HTTP/1.1\r\nHost: web\r\n\r\nbody'),
  });
  expect(treeOf(request).slice(-3)).toEqual([
    '54-87 HTTP',
    '  54-68 First line: GET / HTTP/1.1',
    '  70-79 Header: Host: web',
  ]);
  const hello = tcpFrame({ from: 1, to: 2, flags: ack, payload: clientHello('web.example') });
  expect(treeOf(hello).slice(-4)).toEqual([
    '  57-59 Length: 69',
    '  63-65 TLS version: 1.2',
    '  100-102 Cipher suite: TLS_AES_128_GCM_SHA256',
    '  117-128 Server name: web.example',
  ]);
});

test('the addresses of ARP are as long as it says', () => {
  const message = Uint8Array.of(0, 1, 8, 0, 2, 4, 0, 2, 1, 2, 10, 0, 0, 1, 3, 4, 10, 0, 0, 2);
  expect(treeOf(ethernet(0x0806, message)).slice(-5)).toEqual([
    '22-34 ARP addresses',
    '  22-24 Sender hardware address: 01:02',
    '  24-28 Sender protocol address: 10.0.0.1',
    '  28-30 Target hardware address: 03:04',
    '  30-34 Target protocol address: 10.0.0.2',
  ]);
});
