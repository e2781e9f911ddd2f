import { characterAt } from './character-at.ts';
import type { FilterSpan } from './matcher.ts';
import { type BytePattern, quotedText } from './payload-text.ts';

/** A piece of a filter expression. `text` is as it was written. */
export type Token = FilterSpan & { readonly text: string } & (
    | { readonly kind: 'word' | 'and' | 'or' | 'not' | 'open' | 'close' | 'comparison' | 'end' }
    | { readonly kind: 'quoted'; readonly pattern: BytePattern; readonly value: string }
    /** What cannot be part of an expression; `message` says why. */
    | { readonly kind: 'bad'; readonly message: string }
  );

/** Splits an expression into tokens. The last one is `end`, or the first one that is `bad`. */
export function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = skipSpace(text, 0);
  while (at < text.length) {
    const token = tokenAt(text, at);
    if (token.kind === 'bad') {
      const before = tokens.at(-1);
      const isAccess = token.text.startsWith('[') && before?.kind === 'word' && endOf(before) === at;
      if (isAccess) tokens.pop();
      tokens.push(isAccess ? byteAccess(text, before) : token);
      return tokens;
    }
    tokens.push(token);
    at = skipSpace(text, endOf(token));
  }
  tokens.push({ kind: 'end', text: '', at: text.length, length: 0 });
  return tokens;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text.charAt(at))) at += 1;
  return at;
}

function endOf({ at, length }: FilterSpan): number {
  return at + length;
}

const wordPattern = /[^\s\p{Cc}\p{Cf}\p{Cs}()"'“”„‘’!&|<>=[\]]+/uy;
const symbolPattern = /&&|\|\||[!<>=]=|[!<>=()]/y;

function tokenAt(text: string, at: number): Token {
  if (text.charAt(at) === '"') return quotedAt(text, at);
  const word = matchAt(wordPattern, text, at);
  if (word !== undefined) return { kind: wordKind(word), text: word, at, length: word.length };
  const symbol = matchAt(symbolPattern, text, at);
  if (symbol !== undefined) return { kind: symbolKind(symbol), text: symbol, at, length: symbol.length };
  return badAt(text, at);
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function wordKind(word: string): 'word' | 'and' | 'or' | 'not' {
  const lower = word.toLowerCase();
  return lower === 'and' || lower === 'or' || lower === 'not' ? lower : 'word';
}

function symbolKind(symbol: string): 'and' | 'or' | 'not' | 'open' | 'close' | 'comparison' {
  switch (symbol) {
    case '&&':
      return 'and';
    case '||':
      return 'or';
    case '!':
      return 'not';
    case '(':
      return 'open';
    case ')':
      return 'close';
    default:
      return 'comparison';
  }
}

function quotedAt(text: string, at: number): Token {
  const quoted = quotedText(text, at);
  if ('message' in quoted) return { kind: 'bad', ...quoted, text: '"' };
  const { pattern, value, length } = quoted;
  return { kind: 'quoted', pattern, value, text: text.slice(at, at + length), at, length };
}

const libpcapBytes =
  'expressions over bytes, such as tcp[13] & 2 != 0 in libpcap, are not supported: TCP flags are syn, fin, rst, ack, psh, urg; lengths are len > 1000';

function badAt(text: string, at: number): Token {
  const character = characterAt(text, at);
  const bad = { kind: 'bad', text: character, at, length: character.length } as const;
  switch (character) {
    case '[':
    case ']':
    case '&':
      return { ...bad, message: libpcapBytes };
    case '|':
      return { ...bad, message: 'write or, or ||' };
    case "'":
    case '“':
    case '”':
    case '„':
    case '‘':
    case '’':
      return { ...bad, message: 'text to search for is written in straight double quotes: "text"' };
    default: {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      return { ...bad, message: `the character U+${code} can be only inside of "text"` };
    }
  }
}

/** `tcp[13]` as one piece. */
function byteAccess(text: string, { at, text: word }: Token): Token {
  const brackets = /^\[[^\]]*\]/.exec(text.slice(at + word.length))?.[0] ?? '[';
  const length = word.length + brackets.length;
  return { kind: 'bad', text: text.slice(at, at + length), at, length, message: libpcapBytes };
}
