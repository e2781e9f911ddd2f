import { nearestWord } from '../../base/nearest-word.ts';
import { readNetwork } from './ip-address.ts';
import { type Problem, problemAt } from './matcher.ts';
import { shown, type TokenCursor } from './token-cursor.ts';
import type { Token } from './tokens.ts';

/**
 * Says what is wrong with a word that no term starts with, and what to write instead: of people who type what tcpdump
 * or Wireshark understand, what has an equivalent here; of misspelled words, the nearest one.
 */
export function unknownWord(word: Token, cursor: TokenCursor, words: readonly string[]): Problem {
  const lower = word.text.toLowerCase();
  if (readNetwork(word.text)) return problemAt(word, `write "host ${word.text}"`);
  if (/^[0-9]+(-[0-9]+)?$/.test(word.text))
    return problemAt(word, `a number needs a word before it, such as "port ${clipped(word.text)}"`);
  if (lower.includes('.')) return wiresharkField(word, cursor);
  const advice = advices.get(lower);
  if (advice !== undefined) return problemAt(word, advice);
  const intended = intendedWord(lower, [...words, 'and', 'or', 'not']);
  const text = 'to search for text, write it in double quotes';
  if (intended === undefined)
    return problemAt(
      word,
      `${shown(word)} is not known: the terms are tcp, port, host, pod and others; ${text}`,
    );
  const isText = lower !== word.text;
  return problemAt(
    word,
    `${shown(word)} is not known: did you mean "${intended}"?${isText ? ` Or, ${text}` : ''}`,
  );
}

/** The word of which this one is a misspelling; two letters that changed places are the most frequent one. */
function intendedWord(word: string, words: readonly string[]): string | undefined {
  if (word.length > longestWord) return undefined;
  const swapped = Array.from(
    { length: word.length - 1 },
    (_, at) => word.slice(0, at) + word.charAt(at + 1) + word.charAt(at) + word.slice(at + 2),
  );
  return swapped.find((each) => words.includes(each)) ?? nearestWord(word, words);
}

/** Longer words are no misspellings, and take long to compare. */
const longestWord = 40;

function clipped(text: string): string {
  return text.slice(0, longestWord);
}

/** Field names of Wireshark, and what is said here; $ is the value. */
const wiresharkFields: ReadonlyMap<string, readonly [equivalent: string, exampleValue: string]> = new Map([
  ['tcp.port', ['tcp port $', '80']],
  ['tcp.srcport', ['tcp src port $', '80']],
  ['tcp.dstport', ['tcp dst port $', '80']],
  ['udp.port', ['udp port $', '53']],
  ['udp.srcport', ['udp src port $', '53']],
  ['udp.dstport', ['udp dst port $', '53']],
  ['ip.addr', ['host $', '10.0.0.1']],
  ['ip.host', ['host $', '10.0.0.1']],
  ['ip.src', ['src host $', '10.0.0.1']],
  ['ip.dst', ['dst host $', '10.0.0.1']],
  ['ipv6.addr', ['host $', 'fd00::1']],
  ['ipv6.src', ['src host $', 'fd00::1']],
  ['ipv6.dst', ['dst host $', 'fd00::1']],
  ['tcp.flags.fin', ['fin', '']],
  ['tcp.flags.syn', ['syn', '']],
  ['tcp.flags.reset', ['rst', '']],
  ['tcp.flags.push', ['psh', '']],
  ['tcp.flags.ack', ['ack', '']],
  ['tcp.flags.urg', ['urg', '']],
  ['tcp.flags', ['syn', '']],
  ['tcp.analysis.retransmission', ['retransmission', '']],
  ['vlan.id', ['vlan $', '100']],
  ['frame.len', ['len > $', '1000']],
  ['frame.interface_name', ['interface $', 'eth0']],
  ['http.request', ['http and "GET"', '']],
  ['http.host', ['http and "$"', 'Host: example.com']],
  ['dns.qry.name', ['dns and "$"', 'example.com']],
  ['tls.handshake.extensions_server_name', ['tls and "$"', 'example.com']],
]);

function wiresharkField(word: Token, cursor: TokenCursor): Problem {
  const field = wiresharkFields.get(word.text.toLowerCase());
  if (field === undefined)
    return problemAt(word, `${shown(word)} is not known: fields of Wireshark are not supported`);
  const [equivalent, exampleValue] = field;
  const value = comparedValue(cursor) ?? exampleValue;
  return problemAt(
    word,
    `fields of Wireshark are not supported: write ${equivalent.replace('$', () => value)} instead`,
  );
}

/** The value in `tcp.port == 80`. */
function comparedValue(cursor: TokenCursor): string | undefined {
  const operator = cursor.take();
  const value = cursor.take();
  const isEquality = operator.text === '==' || operator.text === '=' || operator.text.toLowerCase() === 'eq';
  if (!isEquality || value.length > longestWord) return undefined;
  if (value.kind === 'quoted') return /^[ -~]+$/.test(value.value) ? value.value : undefined;
  return value.kind === 'word' ? value.text : undefined;
}

const libpcap =
  'this word of libpcap is not supported: addresses are host and net, of IP only; ports are port and portrange; protocols are tcp, udp, icmp, icmp6, arp, ip, ip6';

const advices: ReadonlyMap<string, string> = new Map([
  ...[
    'ether gateway broadcast multicast proto protochain mpls pppoes pppoed geneve vxlan wlan link ppp',
    'inbound outbound ifname on mask sctp igmp pim ah esp vrrp carp rarp atalk stp ipx iso llc gateway',
  ]
    .flatMap((words) => words.split(' '))
    .map((word) => [word, libpcap] as const),
  ['contains', 'text to search for is a term of its own: write http and "text"'],
  ['matches', 'there are no regular expressions; to search for text, write http and "text"'],
  ['eq', 'only the length is compared, such as "len == 1000"'],
  ['https', 'https is TLS: write "tls" or "port 443"'],
  ['ssl', 'write "tls"'],
  ['ns', 'write "namespace"'],
  ['iface', 'write "interface"'],
  ['ethernet', libpcap],
  ['ip4', 'write "ip" or "ipv4"'],
  ['reset', 'write "rst"'],
  ['push', 'write "psh"'],
  ['retransmit', 'write "retransmission"'],
  ['retransmissions', 'write "retransmission"'],
]);
