import { parseExpression } from './expression.ts';
import { type FilterSubject, isProblem, type Problem } from './matcher.ts';
import { tokensOf } from './tokens.ts';

/** A filter that can be asked about any number of packets. */
export type Filter = {
  readonly kind: 'filter';
  readonly matches: (subject: FilterSubject) => boolean;
};

/** The place that the message is about is inside the text, or, with length 0, where something is missing. */
export type InvalidFilter = Problem & { readonly kind: 'invalid' };

export const maxFilterCharacters = 4_096;

/**
 * Compiles an expression of the filter language, whose terms are in filter-terms.ts. `not` binds more tightly than
 * `and`, and `and` more tightly than `or`, as in Wireshark and in most languages; in libpcap, `and` and `or` are
 * equal. A text without any term matches every packet, as in tcpdump.
 */
export function parseFilter(text: string): Filter | InvalidFilter {
  if (text.length > maxFilterCharacters) {
    return {
      kind: 'invalid',
      message: `a filter can have at most 4,096 characters, and this one has ${text.length.toLocaleString('en')}`,
      at: maxFilterCharacters,
      length: text.length - maxFilterCharacters,
    };
  }
  const parsed = parseExpression(tokensOf(text));
  return isProblem(parsed) ? { kind: 'invalid', ...parsed } : { kind: 'filter', matches: parsed };
}
