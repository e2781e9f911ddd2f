import type { Matcher } from './matcher.ts';

export type Comparison = '>' | '>=' | '<' | '<=' | '==' | '!=';

/** Compares the length on the wire, not the captured one. */
export function lengthMatcher(comparison: Comparison, bytes: number): Matcher {
  switch (comparison) {
    case '>':
      return ({ originalBytes }) => originalBytes > bytes;
    case '>=':
      return ({ originalBytes }) => originalBytes >= bytes;
    case '<':
      return ({ originalBytes }) => originalBytes < bytes;
    case '<=':
      return ({ originalBytes }) => originalBytes <= bytes;
    case '==':
      return ({ originalBytes }) => originalBytes === bytes;
    case '!=':
      return ({ originalBytes }) => originalBytes !== bytes;
  }
}
