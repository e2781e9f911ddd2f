import { expect, test } from 'vitest';
import { maxFilterDepth } from './expression.ts';
import { maxFilterCharacters, parseFilter } from './filter.ts';

/** The part of each text between ‹ and › is the part that the message is about. */
test.each([
  ['port ‹eighty›', 'a port must be a number from 0 to 65535 or a range such as 8000-8100, not "eighty"'],
  ['port ‹65536›', 'not "65536"'],
  ['port ‹80-65536›', 'not "80-65536"'],
  ['port ‹8100-8000›', 'this range is empty: write "port 8000-8100"'],
  ['port ‹80,443›', 'write "port 80 or port 443"'],
  ['port ‹http›', 'write "port 80"'],
  ['port ‹==› 80', 'write "port 80", without "=="'],
  ['port‹›', 'not the end'],
  ['port ‹"80"›', 'not the text'],
  ['port 80 or ‹443›', 'a number needs a word before it, such as "port 443"'],
  ['host ‹10.0.0›', 'an address must be one such as 10.0.0.1, 10.0.0.0/8, fd00::1 or fd00::/8, not "10.0.0"'],
  ['host ‹10.0.0.1/33›', 'not "10.0.0.1/33"'],
  ['host ‹example.com›', 'names are not looked up'],
  ['host ‹aa:bb:cc:dd:ee:ff›', 'link-layer addresses cannot be searched'],
  ['host ‹fe80::1%eth0›', 'leave out the zone'],
  ['‹10.0.0.1› and tcp', 'write "host 10.0.0.1"'],
  ['src ‹or› dst port 80', 'after "src" there must be a port or an address'],
  ['pod ‹a/b/c›', 'after "pod" there must be a Pod, such as web, shop/web or web-*, not "a/b/c"'],
  ['pod ‹/web›', 'not "/web"'],
  ['namespace ‹shop/web›', 'after "namespace" there must be a namespace, such as shop, not "shop/web"'],
  ['interface ‹and› tcp', 'after "interface" there must be an interface, such as eth0, not "and"'],
  ['vlan ‹4096›', 'a VLAN ID must be a number from 0 to 4095, not "4096"'],
  ['len ‹1000›', 'after "len" there must be >, >=, <, <=, == or !=, not "1000"'],
  ['len > ‹big›', 'after ">" there must be a number of bytes, not "big"'],
  ['len ‹!›1000', 'not "!"'],
  ['tcp ‹==› 80', 'only the length is compared, such as "len > 1000"'],
])('%s: a value that the term does not take', expectProblem);

test.each([
  ['tcp ‹udp›', 'write "and" or "or" between "tcp" and "udp"'],
  ['port 80 ‹host› 10.0.0.1', 'write "and" or "or" between "80" and "host"'],
  ['tcp ‹"x"›', 'write "and" or "or" between "tcp" and the text'],
  ['tcp ‹(›udp)', 'write "and" or "or" between "tcp" and "("'],
  ['tcp ‹not› udp', 'write "and" or "or" between "tcp" and "not"'],
  ['(tcp ‹udp›)', 'write "and" or "or" between "tcp" and "udp"'],
  ['tcp and‹›', 'after "and" there must be a term, such as "tcp", not the end'],
  ['tcp and ‹or› udp', 'after "and" there must be a term, such as "tcp", not "or"'],
  ['‹or› tcp', 'there must be a term, such as "tcp", before "or"'],
  ['not‹›', 'after "not" there must be a term'],
  ['(‹)›', 'after "(" there must be a term'],
  ['‹(›tcp or udp', 'the parenthesis that closes this one is missing'],
  ['tcp‹)› or udp', 'no parenthesis is open that this one could close'],
  ['tcp ‹|› udp', 'write or, or ||'],
])('%s: operators where they cannot be', expectProblem);

test.each([
  ['‹tpc› or udp', '"tpc" is not known: did you mean "tcp"?'],
  ['‹prot› 80', 'did you mean "port"?'],
  ['‹retransmision›', 'did you mean "retransmission"?'],
  ['tcp ‹annd› udp', 'did you mean "and"?'],
  ['‹Net1›', '"Net1" is not known: did you mean "net"? Or, to search for text, write it in double quotes'],
  ['‹GET› and tcp', 'to search for text, write it in double quotes: "GET"'],
  ['‹retrans›', 'write "retransmission"'],
  ['‹retransmitted›', 'write "retransmission"'],
  ['‹syn,ack›', 'write "syn and ack"'],
  ['‹SYN+ACK›', 'write "syn and ack"'],
  ['‹synack›', 'write "syn and ack"'],
  ['‹tcp,udp›', 'write "tcp or udp"'],
  ['‹tcp,syn›', 'write "tcp or syn"'],
  ['‹10.0.0.1:80›', 'write "host 10.0.0.1 and port 80"'],
  ['‹10.0.0.1.80›', 'write "host 10.0.0.1 and port 80"'],
  ['not host ‹10.0.0.1:80›', 'write "(host 10.0.0.1 and port 80)"'],
  ['not ‹10.0.0.1:80›', 'write "(host 10.0.0.1 and port 80)"'],
  ['‹tcp,udp› and port 53', 'write "(tcp or udp)"'],
  ['‹10.0.0›', '"10.0.0" is no whole address: write one such as "host 10.0.0.1"'],
  ['‹example.com›', 'names are not looked up: write an address'],
  ['not ‹web.shop.svc› and tcp', 'names are not looked up: write an address'],
  ['‹constructor›', '"constructor" is not known: the terms are tcp, port, host, pod and others'],
  ['tcp and ‹日本›', '"日本" is not known'],
  ['‹https›', 'write "tls" or "port 443"'],
])('%s: words that are not known', expectProblem);

test.each([
  ['‹tcp[13]› & 2 != 0', 'TCP flags are syn, fin, rst, ack, psh, urg'],
  ['‹ip[2:2]› > 100', 'TCP flags are syn, fin, rst, ack, psh, urg'],
  ['‹ether[0]› & 1 = 0', 'TCP flags are syn, fin, rst, ack, psh, urg'],
  ['tcp ‹[›13]', 'TCP flags are syn'],
  ['tcp ‹&› udp', 'TCP flags are syn'],
  ['‹ether› host aa:bb:cc:dd:ee:ff', 'this word of libpcap is not supported'],
  ['ip ‹proto› 6', 'this word of libpcap is not supported'],
  ['net 10.0.0.0 ‹mask› 255.0.0.0', 'this word of libpcap is not supported'],
  ['‹tcp.port› == 80', 'fields of Wireshark are not supported: write tcp port 80 instead'],
  ['not ‹ip.addr› eq 10.0.0.7', 'write host 10.0.0.7 instead'],
  ['‹tcp.flags.syn› == 1', 'write syn instead'],
  ['‹dns.qry.name› == "foo.example"', 'write dns and "foo.example" instead'],
  ['‹tcp.port› in {80 443}', 'write tcp port 80 or tcp port 443 instead'],
  ['not ‹tcp.port› in {80 443}', 'write (tcp port 80 or tcp port 443) instead'],
  ['‹tcp.port› in {80 443} and syn', 'write (tcp port 80 or tcp port 443) instead'],
  ['not ‹dns.qry.name› == "foo"', 'write (dns and "foo") instead'],
  ['‹tcp.port› in {80, 8000..8080}', 'write tcp port 80 or tcp port 8000-8080 instead'],
  ['‹tcp.port› in {80, x}', 'write tcp port ..., for each value, with or between them, instead'],
  ['‹ip.addr› in {1,2}', 'write host ..., for each value'],
  ['‹tcp.port› != 80', 'write tcp and not port 80 instead'],
  ['‹udp.dstport› ne 53', 'write udp and not dst port 53 instead'],
  ['‹tcp.port› >= 1024', 'write tcp port 1024-65535 instead'],
  ['‹tcp.port› > 1023', 'write tcp port 1024-65535 instead'],
  ['‹tcp.srcport› < 1024', 'write tcp src port 0-1023 instead'],
  ['‹tcp.srcport› le 1024', 'write tcp src port 0-1024 instead'],
  ['‹tcp.port› < 0', 'write tcp port ... instead'],
  ['‹tcp.port› > 65535', 'write tcp port ... instead'],
  ['‹tcp.port› == http', 'write tcp port ... instead'],
  ['‹tcp.port› and udp', 'write tcp instead'],
  ['‹ip.addr›', 'write ip instead'],
  ['‹ip.addr› != 10.0.0.5', 'write not host 10.0.0.5 instead'],
  ['‹ip.src› == web', 'write src host ... instead'],
  ['‹ipv6.dst› != fd00::1', 'write not dst host fd00::1 instead'],
  ['‹tcp.flags.syn› == 0', 'write not syn instead'],
  ['‹tcp.flags.syn› != 1', 'write not syn instead'],
  ['‹tcp.flags.ack› == false', 'write not ack instead'],
  ['‹tcp.flags.ack› != 0', 'write ack instead'],
  ['‹tcp.flags.reset›', 'write rst instead'],
  ['‹tcp.flags› == 0x2', 'write flags such as syn and not ack instead'],
  ['‹vlan.id› != 5', 'write vlan and not vlan 5 instead'],
  ['‹frame.len› <= 100', 'write len <= 100 instead'],
  ['‹frame.len› == 100', 'write len == 100 instead'],
  ['‹frame.interface_name› == "eth1"', 'write interface "eth1" instead'],
  ['‹http.host› contains "a\\"b"', 'write http and "a\\"b" instead'],
  ['‹http.request.method› == "PUT"', 'write http and "PUT" instead'],
  ['‹http.host› != foo', 'write http and not "foo" instead'],
  ['‹http.host› matches "x.*"', 'write http instead'],
  ['‹foo.bar› == 1', '"foo.bar" is not known: fields of Wireshark are not supported'],
  ['‹frame.number› == 1', '"frame.number" is not known: fields of Wireshark are not supported'],
  ['http ‹contains› "x"', 'write http and "text"'],
])('%s: what tcpdump or Wireshark would understand', expectProblem);

test.each([
  ['tcp and ‹"abc›', 'the " that ends this text is missing'],
  ['‹"abc\\"›', 'the " that ends this text is missing'],
  ['‹""›', 'the text to search for is empty'],
  ['"a‹\\q›b"', 'the escapes in a text are \\" \\\\ \\n \\r \\t and \\xHH, such as \\x00'],
  ['"a‹\\x›0"', 'the escapes in a text are'],
  ["‹'›GET'", 'straight double quotes: "text"'],
  ['‹\u201c›GET\u201d', 'straight double quotes: "text"'],
  ['tcp ‹\u001b›[31m', 'the character U+001B can be only inside of "text"'],
  ['‹\ud800›', 'the character U+D800 can be only inside of "text"'],
  ['‹\u202e› tcp', 'the character U+202E can be only inside of "text"'],
])('%j: characters and texts that cannot be read', expectProblem);

const fields =
  'tcp.port tcp.dstport udp.srcport ip.addr ipv6.src vlan.id frame.len frame.interface_name http.host tcp.flags.syn';

const operators = ['==', '!=', '>', '>=', '<', '<=', 'in'];
const values = ['1', '0', '10.0.0.1', 'fd00::1', '"a b"', '{1,', '{1..2}'];

test.each(fields.split(' '))('what is written in place of %s is a filter, also behind not', (field) => {
  const typed = operators.flatMap((operator) => values.map((value) => `not ${field} ${operator} ${value}`));
  const advised = typed.map((text) => {
    const wrong = parseFilter(text);
    return wrong.kind === 'invalid' ? (/ write (.*) instead$/.exec(wrong.message)?.[1] ?? '') : '';
  });
  expect(advised).not.toContain('');
  const whole = advised.filter((advice) => !advice.includes('...'));
  expect(whole).not.toEqual([]);
  expect(whole.filter((advice) => parseFilter(`not ${advice}`).kind === 'invalid')).toEqual([]);
});

test.each([
  ['‹icmp port 80›', 'this matches nothing: ICMP has no ports'],
  ['‹icmp6 dst port 80› or tcp', 'this matches nothing: ICMPv6 has no ports'],
  ['‹arp src port 80-90›', 'this matches nothing: ARP has no ports'],
  ['not ‹icmp port 80›', 'this matches nothing: ICMP has no ports'],
  ['!(tcp or ‹arp port 80›)', 'this matches nothing: ARP has no ports'],
  ['‹ip6 host 10.0.0.1›', 'this matches nothing: IPv6 has no address of IPv4 such as "10.0.0.1"'],
  ['‹ip src fd00::1›', 'this matches nothing: IPv4 has no address of IPv6 such as "fd00::1"'],
  ['‹icmp net fd00::/8›', 'this matches nothing: ICMP has no address of IPv6 such as "fd00::/8"'],
  ['not ‹icmpv6 host 10.0.0.1›', 'this matches nothing: ICMPv6 has no address of IPv4'],
  ['‹arp host 10.0.0.1›', 'this matches nothing: host is about IPv4 and IPv6, and ARP is neither'],
])('%s: what no packet can be', expectProblem);

test.each(['ip port 80', 'ip6 port 80', 'icmp host 10.0.0.1', 'icmp6 host fd00::1', 'ip dst net 10.0.0.0/8'])(
  '%s: a protocol with what it can have',
  (text) => {
    expect(parseFilter(text).kind).toBe('filter');
  },
);

test('a filter that is too long', () => {
  const longest = `${'tcp and '.repeat(maxFilterCharacters / 8 - 1)}tcp     `;
  expect(parseFilter(longest).kind).toBe('filter');
  expect(parseFilter(`${longest}x`)).toEqual({
    kind: 'invalid',
    message: 'a filter can have at most 4,096 characters, and this one has 4,097',
    at: 4_096,
    length: 1,
  });
});

test.each([
  ['parentheses', '(', ')'],
  ['not', '!', ''],
  ['both', '!(', ')'],
])('a filter with %s that are too deep', (_what, open, close) => {
  const nested = (depth: number) => `${open.repeat(depth)}tcp${close.repeat(depth)}`;
  const deepest = maxFilterDepth / open.length;
  expect(parseFilter(nested(deepest)).kind).toBe('filter');
  expect(parseFilter(nested(deepest + 1))).toEqual({
    kind: 'invalid',
    message: 'parentheses and "not" can be at most 100 deep',
    at: 100,
    length: 1,
  });
  expect(parseFilter(nested(4_000 / (open.length + close.length))).kind).toBe('invalid');
});

function expectProblem(marked: string, message: string): void {
  const at = marked.indexOf('‹');
  const length = marked.indexOf('›') - at - 1;
  expect(parseFilter(marked.replace('‹', '').replace('›', ''))).toEqual({
    kind: 'invalid',
    message: expect.stringContaining(message),
    at,
    length,
  });
}
