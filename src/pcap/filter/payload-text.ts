import { characterAt } from './character-at.ts';
import type { Matcher, Problem } from './matcher.ts';

/** Bytes to search for: at each place, one of two. They are equal where only one byte will do. */
export type BytePattern = { readonly lower: Uint8Array; readonly upper: Uint8Array };

/** A text in double quotes: what to search for, and the same as a string. `length` includes the quotes. */
type QuotedText = { readonly pattern: BytePattern; readonly value: string; readonly length: number };

/**
 * Reads the text in double quotes that starts at `at`. \" \\ \r \n \t and \xHH are escapes. A letter from A to Z matches
 * in either case, because the names of HTTP headers and of DNS are the same in either; a byte that is written as \xHH
 * matches only itself.
 */
export function quotedText(text: string, at: number): QuotedText | Problem {
  const lower: number[] = [];
  const upper: number[] = [];
  const value: string[] = [];
  const encoder = new TextEncoder();
  let next = at + 1;
  while (next < text.length && text.charAt(next) !== '"') {
    if (text.charAt(next) === '\\') {
      const escape = escapeAt(text, next);
      if ('message' in escape) return escape;
      lower.push(escape.byte);
      upper.push(escape.byte);
      value.push(String.fromCharCode(escape.byte));
      next += escape.length;
      continue;
    }
    const character = characterAt(text, next);
    lower.push(...encoder.encode(asciiLower(character)));
    upper.push(...encoder.encode(asciiUpper(character)));
    value.push(character);
    next += character.length;
  }
  if (next >= text.length)
    return { at, length: text.length - at, message: 'the " that ends this text is missing' };
  const length = next + 1 - at;
  if (lower.length === 0) return { at, length, message: 'the text to search for is empty' };
  const pattern = { lower: Uint8Array.from(lower), upper: Uint8Array.from(upper) };
  return { pattern, value: value.join(''), length };
}

function asciiLower(character: string): string {
  return character >= 'A' && character <= 'Z' ? character.toLowerCase() : character;
}

function asciiUpper(character: string): string {
  return character >= 'a' && character <= 'z' ? character.toUpperCase() : character;
}

const escapes: Readonly<Record<string, number>> = { '"': 0x22, '\\': 0x5c, n: 10, r: 13, t: 9 };

function escapeAt(text: string, at: number): { readonly byte: number; readonly length: number } | Problem {
  const hex = /^\\x([0-9a-f]{2})/i.exec(text.slice(at, at + 4))?.[1];
  if (hex !== undefined) return { byte: Number.parseInt(hex, 16), length: 4 };
  const letter = text.charAt(at + 1);
  const byte = Object.hasOwn(escapes, letter) ? escapes[letter] : undefined;
  if (byte !== undefined) return { byte, length: 2 };
  const length = Math.min(2, text.length - at);
  return { at, length, message: 'the escapes in a text are \\" \\\\ \\n \\r \\t and \\xHH, such as \\x00' };
}

/**
 * Matches packets whose payload contains the bytes. Names in DNS packets are cut into labels, so there the line that
 * describes the packet is searched as well.
 */
export function textMatcher(pattern: BytePattern): Matcher {
  const search: Search = { ...pattern, shifts: shiftsOf(pattern) };
  return ({ packet, buffer, dataAt, capturedBytes }) => {
    const { payload } = packet;
    const from = dataAt + Math.max(0, payload.from);
    const to = Math.min(buffer.length, dataAt + Math.min(payload.to, capturedBytes));
    if (bytesContain(buffer, { from, to }, search)) return true;
    return packet.protocols.includes('dns') && lineContains(packet.info, pattern);
  };
}

/** `shifts`: how far a match can be at least, by the byte where the pattern would have its last one. */
type Search = BytePattern & { readonly shifts: Uint16Array };

/** The table of Horspool, "Practical fast searching in strings", 1980. */
function shiftsOf({ lower, upper }: BytePattern): Uint16Array {
  const last = lower.length - 1;
  const shifts = new Uint16Array(256).fill(lower.length);
  for (let at = 0; at < last; at += 1) {
    shifts[lower[at] ?? 0] = last - at;
    shifts[upper[at] ?? 0] = last - at;
  }
  return shifts;
}

function bytesContain(
  buffer: Uint8Array,
  { from, to }: { readonly from: number; readonly to: number },
  { lower, upper, shifts }: Search,
): boolean {
  const last = lower.length - 1;
  const lowerLast = lower[last];
  const upperLast = upper[last];
  let end = from + last;
  while (end < to) {
    const byte = buffer[end] ?? 0;
    if (byte === lowerLast || byte === upperLast) {
      let at = last - 1;
      while (at >= 0 && isOneOf(buffer[end - last + at], lower[at], upper[at])) at -= 1;
      if (at < 0) return true;
    }
    end += shifts[byte] ?? 1;
  }
  return false;
}

function isOneOf(byte: number | undefined, lower: number | undefined, upper: number | undefined): boolean {
  return byte === lower || byte === upper;
}

function lineContains(line: string, { lower, upper }: BytePattern): boolean {
  const { length } = lower;
  for (let from = 0; from <= line.length - length; from += 1) {
    let at = 0;
    while (at < length && isOneOf(line.charCodeAt(from + at), lower[at], upper[at])) at += 1;
    if (at === length) return true;
  }
  return false;
}
