import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ack,
  ascii,
  concat,
  ethernet,
  ipv6,
  syn,
  tcpFrame,
  udp,
  udpFrame,
} from '../testing/build-packets.ts';
import { decodeOne } from '../testing/decode-packets.ts';
import { addressTexts, ipv6Text } from './address-text.ts';
import { type LineOptions, lineOf } from './packet-line.ts';

const options: LineOptions = {
  seconds: Date.UTC(2026, 6, 28, 12, 31, 4) / 1000,
  nanoseconds: 123_456_789,
  time: 'of-day',
  resolution: 'us',
  interfaceName: undefined,
};

test.each([
  [
    'TCP',
    tcpFrame({ from: 1, to: 2, flags: syn }),
    '10.0.0.1:1 > 10.0.0.2:2 TCP [SYN] seq=0 win=64240 len=0',
  ],
  ['UDP', udpFrame({ from: 1, to: 2 }, ascii('a')), '10.0.0.1:1 > 10.0.0.2:2 UDP len=1'],
  [
    'IPv6',
    ethernet(0x86dd, ipv6(17, udp({ from: 1, to: 2 }, ascii('a')))),
    '[2001:db8::1]:1 > [2001:db8::2]:2 UDP len=1',
  ],
  [
    'IPv6 without ports',
    ethernet(0x86dd, ipv6(89, ascii('a'))),
    '2001:db8::1 > 2001:db8::2 IPv6 OSPF (IP protocol 89), length 1',
  ],
  [
    'HTTP',
    tcpFrame({ from: 1, to: 2, flags: ack, payload: ascii('GET / HTTP/1.1\r\n') }),
    '10.0.0.1:1 > 10.0.0.2:2 HTTP GET / HTTP/1.1',
  ],
  [
    'no IP',
    ethernet(0x88cc, ascii('a')),
    '02:00:00:00:00:01 > 02:00:00:00:00:02 Ethernet EtherType 0x88cc, length 1',
  ],
  [
    'no destination',
    concat([0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x88, 0xcc]),
    '02:00:00:00:00:01 > ? cooked EtherType 0x88cc, length 0',
  ],
])('the line of a packet: %s', (name, bytes, line) => {
  const decoded = decodeOne(bytes, name === 'no destination' ? 113 : 1);
  expect(lineOf(decoded, options)).toBe(`12:31:04.123456 ${line}`);
});

test('a line can have the interface, the date and nanoseconds; a packet without addresses has none', () => {
  const decoded = decodeOne(ascii('abc'), 147);
  expect(lineOf(decoded, { ...options, interfaceName: 'default/web/eth0' })).toBe(
    '12:31:04.123456 default/web/eth0 unknown link type 147, length 3',
  );
  expect(lineOf(decoded, { ...options, time: 'with-date', resolution: 'ns' })).toBe(
    '2026-07-28T12:31:04.123456789Z unknown link type 147, length 3',
  );
});

test.each([
  [0, 0, '1970-01-01T00:00:00.000000Z'],
  [-1, 999_999_999, '1969-12-31T23:59:59.999999Z'],
  [2 ** 32, 1_000, '2106-02-07T06:28:16.000001Z'],
  [8_640_000_000_000, 0, '+275760-09-13T00:00:00.000000Z'],
  [2 ** 53, 0, '+275760-09-13T07:36:32.000000Z'],
])('%i seconds and %i ns are %s', (seconds, nanoseconds, text) => {
  const line = lineOf(decodeOne(ascii('abc'), 147), { ...options, seconds, nanoseconds, time: 'with-date' });
  expect(line.split(' ')[0]).toBe(text);
});

test.each([
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['fe80:0:0:0:0:0:0:0', 'fe80::'],
  ['0:0:0:0:0:ffff:a00:1', '::ffff:10.0.0.1'],
])('RFC 5952: %s is %s', (groups, text) => {
  expect(ipv6Text(bytesOf(groups.split(':').map((group) => Number.parseInt(group, 16))), 0)).toBe(text);
});

test('addresses of IPv6 are compressed as URLs do it, from the cache or not', () => {
  const texts = addressTexts(4);
  const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const bytes = bytesOf(groups);
      const text = ipv6Text(bytes, 0);
      expect(texts.ipv6(bytes, 0)).toBe(text);
      expect(texts.ipv6(bytes, 0)).toBe(text);
      fc.pre(!text.includes('.'));
      const written = groups.map((value) => value.toString(16)).join(':');
      expect(new URL(`http://[${written}]/`).hostname).toBe(`[${text}]`);
    }),
    { numRuns: 2_000 },
  );
});

test('a small cache mixes up no addresses of IPv4', () => {
  const texts = addressTexts(4);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
      expect(texts.ipv4(bytes, 0)).toBe(bytes.join('.'));
    }),
  );
});

function bytesOf(groups: readonly number[]): Uint8Array {
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}
