import { readNetwork } from './ip-address.ts';
import { type Problem, problemAt } from './matcher.ts';
import { maxPort } from './port-numbers.ts';
import { grouped, shown, type TokenCursor } from './token-cursor.ts';
import type { Token } from './tokens.ts';

/** What a field of Wireshark is here: a protocol, the words before the value, and what values it has. */
type Field = {
  readonly protocol: string;
  readonly term: string;
  readonly kind: 'port' | 'address' | 'number' | 'name' | 'text';
};

/** An operator that can be said here, of those that Wireshark writes in two ways. */
type Operator = '==' | '!=' | '>' | '>=' | '<' | '<=';

/**
 * Says what to write in place of a field of Wireshark, which has been taken, and what is compared with it. Where there
 * is no equivalent, or the value is none that the term takes, `...` stands for it.
 */
export function wiresharkField(word: Token, cursor: TokenCursor): Problem {
  const name = word.text.toLowerCase();
  if (name === 'tcp.flags') return instead(word, 'flags such as syn and not ack');
  const flag = flags.get(name);
  if (flag !== undefined) return instead(word, flagTerm(flag, cursor));
  const words = sameMeaning.get(name);
  if (words !== undefined) return instead(word, words);
  const field = fields.get(name);
  if (field === undefined)
    return problemAt(word, `${shown(word)} is not known: fields of Wireshark are not supported`);
  const term = comparedTerm(field, cursor);
  return instead(word, grouped(term, word, cursor.peek()));
}

/** Whether a word with a dot is a field, and no name of a host: because of how it starts, or because it is compared. */
export function isWiresharkField({ text }: Token, next: Token): boolean {
  const [protocol = ''] = text.toLowerCase().split('.');
  return (
    fieldProtocols.has(protocol) || next.kind === 'comparison' || wordOperators.has(next.text.toLowerCase())
  );
}

function instead(word: Token, term: string): Problem {
  return problemAt(word, `fields of Wireshark are not supported: write ${term} instead`);
}

function flagTerm(flag: string, cursor: TokenCursor): string {
  const operator = operatorOf(cursor.take());
  if (operator !== '==' && operator !== '!=') return flag;
  const isSet = !['0', 'false'].includes(cursor.take().text.toLowerCase());
  return isSet === (operator === '==') ? flag : `not ${flag}`;
}

function comparedTerm(field: Field, cursor: TokenCursor): string {
  const token = cursor.take();
  const word = token.text.toLowerCase();
  if (word === 'in') return listedTerm(field, cursor);
  const operator = word === 'contains' && field.kind === 'text' ? '==' : operatorOf(token);
  if (operator === undefined) return anyTerm(field);
  const value = valueText(field, cursor.take());
  if (value === undefined) return positive(field, '...');
  if (operator === '==') return positive(field, value);
  if (operator === '!=') return negative(field, value);
  if (field.term === 'len') return `len ${operator} ${value}`;
  const range = field.kind === 'port' ? portRange(operator, Number(value)) : undefined;
  return positive(field, range ?? '...');
}

function operatorOf({ kind, text }: Token): Operator | undefined {
  if (kind !== 'comparison' && kind !== 'word') return undefined;
  return operators.get(text.toLowerCase());
}

/** A field without a comparison asks whether the packet has it. */
function anyTerm({ protocol, ...field }: Field): string {
  return protocol === '' ? positive({ protocol, ...field }, '...') : protocol;
}

function positive({ protocol, term, kind }: Field, value: string): string {
  if (kind === 'text') return `${protocol} and ${value === '...' ? '"..."' : value}`;
  if (term === 'len') return `len == ${value}`;
  return kind === 'port' ? `${protocol} ${term} ${value}` : `${term} ${value}`;
}

function negative(field: Field, value: string): string {
  const { protocol, term, kind } = field;
  if (term === 'len') return `len != ${value}`;
  if (kind === 'text') return `${protocol} and not ${value}`;
  return kind === 'port' || term === 'vlan'
    ? `${protocol} and not ${term} ${value}`
    : `not ${positive(field, value)}`;
}

function portRange(operator: Exclude<Operator, '==' | '!='>, port: number): string | undefined {
  const from = operator === '>' ? port + 1 : operator === '>=' ? port : 0;
  const to = operator === '<' ? port - 1 : operator === '<=' ? port : maxPort;
  return from > to ? undefined : `${from}-${to}`;
}

/** Longer lists are as easy to write as to read. */
const maxListed = 4;

/** `in {80, 443, 8000..8080}`, whose words are `{80,`, `443,` and `8000..8080}`. */
function listedTerm(field: Field, cursor: TokenCursor): string {
  const values: string[] = [];
  for (let token = cursor.take(); values.length < maxListed; token = cursor.take()) {
    const [from = '', to] = token.text.replaceAll(/^\{|,?\}?$/g, '').split('..');
    const first = valueText(field, { ...token, text: from });
    const last = to === undefined ? undefined : valueText(field, { ...token, text: to });
    if (first === undefined || (to !== undefined && (last === undefined || field.kind !== 'port'))) break;
    values.push(positive(field, last === undefined ? first : `${first}-${last}`));
    if (token.text.endsWith('}')) return values.join(' or ');
  }
  return `${positive(field, '...')}, for each value, with or between them,`;
}

/** Longer values do not help to read a message. */
const maxValueCharacters = 60;

/** The value as a term takes it; undefined if the term takes no such value. */
function valueText({ kind }: Field, token: Token): string | undefined {
  const { text } = token;
  if (text.length > maxValueCharacters || !/^[ -~]+$/.test(text)) return undefined;
  if (token.kind === 'quoted') return kind === 'text' || kind === 'name' ? text : undefined;
  if (token.kind !== 'word') return undefined;
  switch (kind) {
    case 'port':
      return /^[0-9]{1,5}$/.test(text) && Number(text) <= maxPort ? text : undefined;
    case 'number':
      return /^[0-9]{1,10}$/.test(text) ? text : undefined;
    case 'address':
      return readNetwork(text) ? text : undefined;
    case 'name':
      return text;
    case 'text':
      return `"${text.replaceAll('\\', '\\\\')}"`;
  }
}

const operators: ReadonlyMap<string, Operator> = new Map([
  ['==', '=='],
  ['=', '=='],
  ['eq', '=='],
  ['!=', '!='],
  ['ne', '!='],
  ['>', '>'],
  ['gt', '>'],
  ['>=', '>='],
  ['ge', '>='],
  ['<', '<'],
  ['lt', '<'],
  ['<=', '<='],
  ['le', '<='],
]);

const wordOperators: ReadonlySet<string> = new Set([
  ...[...operators.keys()].filter((operator) => /^[a-z]/.test(operator)),
  'in',
  'contains',
  'matches',
]);

/** What names of fields start with. */
const fieldProtocols: ReadonlySet<string> = new Set(
  'arp data dns eth frame http http2 icmp icmpv6 ip ipv6 quic sctp sll ssl tcp tls udp vlan'.split(' '),
);

const flags: ReadonlyMap<string, string> = new Map([
  ['tcp.flags.fin', 'fin'],
  ['tcp.flags.syn', 'syn'],
  ['tcp.flags.reset', 'rst'],
  ['tcp.flags.push', 'psh'],
  ['tcp.flags.ack', 'ack'],
  ['tcp.flags.urg', 'urg'],
  ['tcp.flags.ece', 'ece'],
  ['tcp.flags.cwr', 'cwr'],
]);

const sameMeaning: ReadonlyMap<string, string> = new Map([
  ['tcp.analysis.retransmission', 'retransmission'],
  ['http.request', 'http'],
  ['http.response', 'http'],
]);

const fields: ReadonlyMap<string, Field> = new Map([
  ['tcp.port', { protocol: 'tcp', term: 'port', kind: 'port' }],
  ['tcp.srcport', { protocol: 'tcp', term: 'src port', kind: 'port' }],
  ['tcp.dstport', { protocol: 'tcp', term: 'dst port', kind: 'port' }],
  ['udp.port', { protocol: 'udp', term: 'port', kind: 'port' }],
  ['udp.srcport', { protocol: 'udp', term: 'src port', kind: 'port' }],
  ['udp.dstport', { protocol: 'udp', term: 'dst port', kind: 'port' }],
  ['ip.addr', { protocol: 'ip', term: 'host', kind: 'address' }],
  ['ip.host', { protocol: 'ip', term: 'host', kind: 'address' }],
  ['ip.src', { protocol: 'ip', term: 'src host', kind: 'address' }],
  ['ip.dst', { protocol: 'ip', term: 'dst host', kind: 'address' }],
  ['ipv6.addr', { protocol: 'ip6', term: 'host', kind: 'address' }],
  ['ipv6.src', { protocol: 'ip6', term: 'src host', kind: 'address' }],
  ['ipv6.dst', { protocol: 'ip6', term: 'dst host', kind: 'address' }],
  ['vlan.id', { protocol: 'vlan', term: 'vlan', kind: 'number' }],
  ['frame.len', { protocol: '', term: 'len', kind: 'number' }],
  ['frame.interface_name', { protocol: '', term: 'interface', kind: 'name' }],
  ['http.host', { protocol: 'http', term: '', kind: 'text' }],
  ['http.request.method', { protocol: 'http', term: '', kind: 'text' }],
  ['http.request.uri', { protocol: 'http', term: '', kind: 'text' }],
  ['dns.qry.name', { protocol: 'dns', term: '', kind: 'text' }],
  ['tls.handshake.extensions_server_name', { protocol: 'tls', term: '', kind: 'text' }],
]);
