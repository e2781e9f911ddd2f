import { expect, test } from 'vitest';
import { datagramNumber } from './datagrams.ts';
import { udpPayload } from './udp-datagram.ts';

const ethernet = 1;
const macs = '020000000001 020000000002';
const datagram = '9c40 0009 000d 0000 7365713d37'; // 40000 -> 9, "seq=7"

test('reads UDP over IPv4, without the padding of a short frame', () => {
  const ip = '4500 0021 0000 4000 4011 0000 c0000202 c0000209';
  const decoded = udpPayload(hex(`${macs} 0800 ${ip} ${datagram} 000000000000`), ethernet);
  expect(decoded).toMatchObject({
    source: '192.0.2.2',
    destination: '192.0.2.9',
    sourcePort: 40_000,
    destinationPort: 9,
    payload: hex('7365713d37'),
  });
});

test('reads UDP over IPv4 with options', () => {
  const ip = '4600 0025 0000 4000 4011 0000 c0000202 c0000209 01010100';
  expect(udpPayload(hex(`${macs} 0800 ${ip} ${datagram}`), ethernet)?.payload).toEqual(hex('7365713d37'));
});

test('reads UDP over IPv6', () => {
  const ip = '60000000 000d 11 40 20010db8000000000000000000000001 fd000000000000000000000000000a02';
  expect(udpPayload(hex(`${macs} 86dd ${ip} ${datagram}`), ethernet)).toMatchObject({
    source: '2001:db8::1',
    destination: 'fd00::a02',
    payload: hex('7365713d37'),
  });
});

test.each([
  ['ARP', `${macs} 0806 0001`],
  ['TCP', `${macs} 0800 4500 0028 0000 4000 4006 0000 c0000202 c0000209 ${datagram}`],
  ['a cut header', `${macs} 0800 4500 0021 0000`],
  ['nothing', ''],
])('reads nothing from %s', (_, frame) => {
  expect(udpPayload(hex(frame), ethernet)).toBeUndefined();
});

test('reads the number of a numbered datagram', () => {
  expect(datagramNumber(Buffer.from('seq=42.....'))).toBe(42);
  expect(datagramNumber(Buffer.from('GET / HTTP'))).toBeUndefined();
});

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}
