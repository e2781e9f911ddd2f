import type { Protocol } from '../decode/decoded-packet.ts';
import { addressTerm, directionTerm, isQualifier, portTerm } from './address-terms.ts';
import { interfaceMatcher, namespaceMatcher, podMatcher } from './interface-names.ts';
import { type Comparison, lengthMatcher } from './length-matcher.ts';
import { all, isProblem, type Matcher, type Problem, problemAt } from './matcher.ts';
import { textMatcher } from './payload-text.ts';
import { flagWords, protocolWords } from './protocol-words.ts';
import { neverMatches } from './qualified-terms.ts';
import { shown, type TokenCursor } from './token-cursor.ts';
import type { Token } from './tokens.ts';
import { unknownWord } from './unknown-words.ts';

/** Parses what follows the word that a term starts with, which has been taken. */
type TermParser = (cursor: TokenCursor, word: Token) => Matcher | Problem;

/** Parses one term: a word and what belongs to it, or a text in quotes. */
export function parseTerm(cursor: TokenCursor): Matcher | Problem {
  const token = cursor.take();
  if (token.kind === 'quoted') return textMatcher(token.pattern);
  const parser = termParsers.get(token.text.toLowerCase());
  return parser ? parser(cursor, token) : unknownWord(token, cursor, termWords);
}

export function isTermStart(token: Token): boolean {
  return token.kind === 'quoted' || (token.kind === 'word' && termParsers.has(token.text.toLowerCase()));
}

const termParsers: ReadonlyMap<string, TermParser> = new Map([
  ...[...protocolWords].map(([word, protocol]) => [word, protocolTerm(protocol)] as const),
  ...[...flagWords].map(([word, bit]) => [word, () => flagMatcher(bit)] as const),
  ['retransmission', () => isRetransmission],
  ['vlan', vlanTerm],
  ['port', (cursor) => portTerm(cursor, 'either')],
  ['portrange', (cursor) => portTerm(cursor, 'either')],
  ['host', (cursor) => addressTerm(cursor, 'either')],
  ['net', (cursor) => addressTerm(cursor, 'either')],
  ['src', (cursor) => directionTerm(cursor, 'source')],
  ['dst', (cursor) => directionTerm(cursor, 'destination')],
  ['pod', nameTerm('a Pod, such as web, shop/web or web-*', podMatcher)],
  ['namespace', nameTerm('a namespace, such as shop', namespaceMatcher)],
  ['interface', nameTerm('an interface, such as eth0', interfaceMatcher)],
  ['len', lengthTerm],
  ['length', lengthTerm],
  ['greater', (cursor, word) => boundTerm(cursor, word, '>=')],
  ['less', (cursor, word) => boundTerm(cursor, word, '<=')],
] satisfies readonly (readonly [string, TermParser])[]);

/** The words that a term can start with. */
export const termWords: readonly string[] = [...termParsers.keys()];

/** The protocol alone, or directly before a term about ports or addresses, as in `tcp port 80`. */
function protocolTerm(protocol: Protocol): TermParser {
  const matches: Matcher = ({ packet }) => packet.protocols.includes(protocol);
  return (cursor, word) => {
    if (!isQualifier(cursor.peek())) return matches;
    const qualified = parseTerm(cursor);
    if (isProblem(qualified)) return qualified;
    const value = cursor.previous() ?? word;
    return neverMatches(protocol, word, value) ?? all([matches, qualified]);
  };
}

function flagMatcher(bit: number): Matcher {
  return ({ packet: { tcp } }) => tcp !== undefined && (tcp.flags & bit) !== 0;
}

const isRetransmission: Matcher = ({ packet: { tcp } }) => tcp?.isRetransmission === true;

const maxVlan = 4_095;

/** With an ID, or alone for any. */
function vlanTerm(cursor: TokenCursor): Matcher | Problem {
  const token = cursor.peek();
  if (token.kind !== 'word' || !/^[0-9]/.test(token.text)) return ({ packet }) => packet.vlans.length > 0;
  const id = Number(cursor.take().text);
  if (!/^[0-9]+$/.test(token.text) || id > maxVlan)
    return problemAt(token, `a VLAN ID must be a number from 0 to ${maxVlan}, not ${shown(token)}`);
  return ({ packet }) => packet.vlans.includes(id);
}

/** `what` is a phrase with examples. The name can be in quotes, if it has characters that no word can have. */
function nameTerm(what: string, matcherOf: (name: string) => Matcher | undefined): TermParser {
  return (cursor, word) => {
    const token = cursor.take();
    if (token.kind === 'bad') return problemAt(token, token.message);
    const name = token.kind === 'quoted' ? token.value : token.kind === 'word' ? token.text : undefined;
    const matcher = name === undefined ? undefined : matcherOf(name);
    return matcher ?? problemAt(token, `after ${shown(word)} there must be ${what}, not ${shown(token)}`);
  };
}

function lengthTerm(cursor: TokenCursor, word: Token): Matcher | Problem {
  const token = cursor.take();
  if (token.kind === 'bad') return problemAt(token, token.message);
  const comparison = token.kind === 'comparison' ? comparisons.get(token.text) : undefined;
  if (comparison === undefined)
    return problemAt(token, `after ${shown(word)} there must be >, >=, <, <=, == or !=, not ${shown(token)}`);
  return boundTerm(cursor, token, comparison);
}

const comparisons: ReadonlyMap<string, Comparison> = new Map([
  ['>', '>'],
  ['>=', '>='],
  ['<', '<'],
  ['<=', '<='],
  ['=', '=='],
  ['==', '=='],
  ['!=', '!='],
]);

function boundTerm(cursor: TokenCursor, before: Token, comparison: Comparison): Matcher | Problem {
  const token = cursor.take();
  if (token.kind === 'bad') return problemAt(token, token.message);
  if (token.kind !== 'word' || !/^[0-9]{1,10}$/.test(token.text))
    return problemAt(token, `after ${shown(before)} there must be a number of bytes, not ${shown(token)}`);
  return lengthMatcher(comparison, Number(token.text));
}
