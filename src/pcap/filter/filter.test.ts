import { expect, test } from 'vitest';
import { parseFilter } from './filter.ts';
import { matchedBy, packets, subjectOf } from './testing/filter-subjects.ts';

const everything = Object.keys(packets);

test.each([
  ['', everything],
  ['  \n', everything],
  ['tcp', ['syn', 'synAck', 'get', 'hello', 'finish']],
  ['TCP', ['syn', 'synAck', 'get', 'hello', 'finish']],
  ['udp', ['query']],
  ['arp', ['arp']],
  ['icmp', ['ping']],
  ['icmp6', ['ping6']],
  ['icmpv6', ['ping6']],
  ['ip', ['syn', 'synAck', 'get', 'query', 'finish', 'ping']],
  ['ipv4', ['syn', 'synAck', 'get', 'query', 'finish', 'ping']],
  ['ip6', ['hello', 'ping6']],
  ['ipv6', ['hello', 'ping6']],
  ['dns', ['query']],
  ['http', ['get']],
  ['tls', ['hello']],
])('%j is the protocol: %j', (text, names) => expect(matched(text)).toEqual(names));

test.each([
  ['port 80', ['syn', 'synAck']],
  ['src port 80', ['synAck']],
  ['dst port 80', ['syn']],
  ['port 80-8080', ['syn', 'synAck', 'get', 'hello', 'query']],
  ['dst port 8080-8080', ['get']],
  ['portrange 50000-65535', ['hello']],
  ['src portrange 0-1', ['finish']],
  ['port 0', []],
  ['tcp port 53', []],
  ['udp port 53', ['query']],
  ['tcp dst port 80', ['syn']],
  ['ip6 port 443', ['hello']],
])('%j compares ports: %j', (text, names) => expect(matched(text)).toEqual(names));

test.each([
  ['host 10.0.0.1', ['syn', 'synAck', 'get', 'query', 'ping']],
  ['src host 10.0.0.1', ['syn', 'get', 'query']],
  ['dst host 10.0.0.1', ['synAck', 'ping']],
  ['dst 10.0.0.1', ['synAck', 'ping']],
  ['host 10.0.0.10', []],
  ['net 10.0.0.0/8', ['syn', 'synAck', 'get', 'query', 'ping']],
  ['host 10.0.1.0/24', ['syn', 'synAck', 'get']],
  ['src 10.0.1.77/24', ['synAck']],
  ['dst net 192.168.0.0/16', ['query']],
  ['net 0.0.0.0/0', ['syn', 'synAck', 'get', 'query', 'finish', 'ping']],
  ['host fd00::1', ['hello']],
  ['host FD00:0:0::0001', ['hello']],
  ['host fd00:0:0:0:0:0:0.0.0.1', ['hello']],
  ['net 2001:db8::/32', ['hello']],
  ['net 2001:db8::/126', []],
  ['net ::/0', ['hello', 'ping6']],
  ['net fe80::/10', ['ping6']],
  ['ip6 host fe80::1', ['ping6']],
  ['host ::ffff:10.0.0.1', []],
])('%j compares addresses by value: %j', (text, names) => expect(matched(text)).toEqual(names));

test('compares more addresses than it remembers, and the same ones again', () => {
  const filter = parseFilter('net 10.0.3.0/24');
  const matching = Array.from({ length: 6_000 }, (_, at) => at % 3_000).filter((at) => {
    const source = `10.0.${at >> 8}.${at & 255}`;
    return filter.kind === 'filter' && filter.matches(subjectOf({ source }));
  });
  expect(matching).toEqual([0, 0].flatMap(() => Array.from({ length: 256 }, (_, at) => 3 * 256 + at)));
});

test.each([
  ['pod web', ['hello']],
  ['pod web*', ['syn', 'synAck', 'hello']],
  ['pod shop/web-*', ['syn', 'synAck']],
  ['pod */web', ['hello']],
  ['pod bank/w*b', ['hello']],
  ['pod bank/wb*b', []],
  ['pod eth0', []],
  ['namespace shop', ['syn', 'synAck', 'get']],
  ['namespace sho', []],
  ['interface eth0', ['syn', 'synAck', 'get', 'query']],
  ['interface "eth0"', ['syn', 'synAck', 'get', 'query']],
  ['interface bank/web/net1', ['hello']],
  ['interface *', ['syn', 'synAck', 'get', 'hello', 'query']],
  ['vlan', ['hello']],
  ['vlan 7', ['hello']],
  ['vlan 8', []],
  ['vlan and vlan 100', ['hello']],
])('%j is where the packet was captured: %j', (text, names) => expect(matched(text)).toEqual(names));

test.each([
  ['syn', ['syn', 'synAck']],
  ['syn and not ack', ['syn']],
  ['fin', ['finish']],
  ['rst', ['finish']],
  ['psh', ['get', 'hello']],
  ['ack', ['synAck', 'get', 'hello', 'finish']],
  ['urg', ['finish']],
  ['ece', ['finish']],
  ['cwr', ['finish']],
  ['retransmission', ['get']],
])('%j is a property of TCP: %j', (text, names) => expect(matched(text)).toEqual(names));

test.each([
  ['"GET"', ['get']],
  ['"get / http"', ['get']],
  ['"\\x47et"', ['get']],
  ['"\\x67et"', []],
  ['"host: example.com\\r\\n"', ['get']],
  ['"\\x03\\x01\\x00\\xff"', ['hello']],
  ['"ÿ"', []],
  ['"example.com"', ['get', 'query']],
  ['"example\\x03com"', ['query']],
  ['"\\r\\n\\r\\n"', ['get']],
  ['"xx"', []],
])('%s is text in the payload: %j', (text, names) => expect(matched(text)).toEqual(names));

test.each([
  ['"say \\"hi\\" \\\\"', 'say "hi" \\'],
  ['"a\\tb"', 'a\tb'],
  ['"grün"', 'gr\u00c3\u00bcn'],
  ['"aab"', 'aaab'],
])('%s finds its bytes', (text, payload) => {
  const filter = parseFilter(text);
  expect(filter.kind === 'filter' && filter.matches(subjectOf({ payload: `-${payload}-` }))).toBe(true);
});

test('text ends where the captured part of the packet ends', () => {
  const whole = subjectOf({ payload: 'secret' });
  const filter = parseFilter('"secret"');
  const matches = (capturedBytes: number) =>
    filter.kind === 'filter' && filter.matches({ ...whole, capturedBytes });
  expect([matches(whole.capturedBytes), matches(whole.capturedBytes - 1)]).toEqual([true, false]);
});

test.each([
  ['len > 74', ['get']],
  ['length >= 74', ['syn', 'synAck', 'get']],
  ['len<=42 and arp', ['arp']],
  ['len < 42 and arp', []],
  ['len == 1514', ['get']],
  ['len = 1514', ['get']],
  ['len != 74 and ip and tcp', ['get', 'finish']],
  ['greater 75', ['get']],
  ['less 42 and arp', ['arp']],
])('%j compares the length on the wire: %j', (text, names) => expect(matched(text)).toEqual(names));

test.each([
  ['dns or tcp and syn', ['syn', 'synAck', 'query']],
  ['tcp and syn or dns', ['syn', 'synAck', 'query']],
  ['(dns or tcp) and syn', ['syn', 'synAck']],
  ['not tcp and ip', ['query', 'ping']],
  ['not (tcp and ip)', ['hello', 'query', 'ping6', 'ping', 'arp']],
  ['!tcp&&ip||arp', ['query', 'ping', 'arp']],
  ['not not arp', ['arp']],
  ['not tcp port 80 and tcp and ip', ['get', 'finish']],
  ['arp or dns or icmp or icmp6', ['query', 'ping6', 'ping', 'arp']],
  ['tcp and ip and ack and psh', ['get']],
  ['NOT tcp AND ip', ['query', 'ping']],
])('%j: not before and, and before or: %j', (text, names) => expect(matched(text)).toEqual(names));

function matched(text: string): readonly string[] {
  const filter = parseFilter(text);
  if (filter.kind === 'invalid') throw new Error(filter.message);
  return matchedBy(filter.matches);
}
