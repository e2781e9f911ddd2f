import { nearestWord } from '../../base/nearest-word.ts';
import { endpointTerm } from './address-terms.ts';
import { readNetwork } from './ip-address.ts';
import { type Problem, problemAt } from './matcher.ts';
import { flagWords } from './protocol-words.ts';
import { grouped, shown, type TokenCursor } from './token-cursor.ts';
import type { Token } from './tokens.ts';
import { isWiresharkField, wiresharkField } from './wireshark-fields.ts';

/**
 * Says what is wrong with a word that no term starts with, and what to write instead: of people who type what tcpdump
 * or Wireshark understand, what has an equivalent here; of misspelled words, the nearest one.
 */
export function unknownWord(word: Token, cursor: TokenCursor, words: readonly string[]): Problem {
  const lower = word.text.toLowerCase();
  if (readNetwork(word.text)) return problemAt(word, `write "host ${word.text}"`);
  if (/^[0-9]+(-[0-9]+)?$/.test(word.text))
    return problemAt(word, `a number needs a word before it, such as "port ${clipped(word.text)}"`);
  const endpoint = endpointTerm(word.text);
  if (endpoint !== undefined) return problemAt(word, `write "${grouped(endpoint, word, cursor.peek())}"`);
  if (lower.includes('.')) return dottedWord(word, cursor);
  const list = listOfWords(lower, words);
  if (list !== undefined) return problemAt(word, `write "${grouped(list, word, cursor.peek())}"`);
  if (httpMethods.has(word.text))
    return problemAt(word, `to search for text, write it in double quotes: "${word.text}"`);
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

/** A word with a dot: a field of Wireshark, a part of an address, or the name of a host. */
function dottedWord(word: Token, cursor: TokenCursor): Problem {
  if (isWiresharkField(word, cursor.peek())) return wiresharkField(word, cursor);
  if (/^[0-9.:/]+$/.test(word.text))
    return problemAt(word, `${shown(word)} is no whole address: write one such as "host 10.0.0.1"`);
  return problemAt(
    word,
    `names are not looked up: write an address, such as "host 10.0.0.1"; to search for text, write it in double quotes`,
  );
}

/** Words that are known, with commas or plus signs between them: flags are set together, protocols are alternatives. */
function listOfWords(text: string, words: readonly string[]): string | undefined {
  const parts = text.split(/[,+]/);
  if (parts.length < 2 || text.length > longestWord || !parts.every((part) => words.includes(part)))
    return undefined;
  return parts.join(parts.every((part) => flagWords.has(part)) ? ' and ' : ' or ');
}

/** RFC 9110 and RFC 5789; in capitals, these are looked for in requests of HTTP. */
const httpMethods: ReadonlySet<string> = new Set(
  'CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE'.split(' '),
);

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
  ['retransmitted', 'write "retransmission"'],
  ['retrans', 'write "retransmission"'],
  ['synack', 'write "syn and ack"'],
  ['syn-ack', 'write "syn and ack"'],
]);
