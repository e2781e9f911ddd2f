import { all, any, isProblem, type Matcher, not, type Problem, problemAt } from './matcher.ts';
import { isTermStart, parseTerm } from './terms.ts';
import { cursorOf, shown, type TokenCursor } from './token-cursor.ts';
import type { Token } from './tokens.ts';

/** Parentheses and `not` inside one another. */
export const maxFilterDepth = 100;

/** Where the parser is, and in how many parentheses and `not`. */
type Place = { readonly cursor: TokenCursor; readonly depth: number };

/** Compiles an expression: a recursive descent, whose depth is bounded. */
export function parseExpression(tokens: readonly Token[]): Matcher | Problem {
  const cursor = cursorOf(tokens);
  if (cursor.peek().kind === 'end') return all([]);
  const parsed = parseOr({ cursor, depth: 0 });
  if (isProblem(parsed)) return parsed;
  const token = cursor.peek();
  return token.kind === 'end' ? parsed : leftOver(token, cursor);
}

function parseOr(place: Place): Matcher | Problem {
  const first = parseAnd(place);
  if (isProblem(first)) return first;
  const rest: Matcher[] = [];
  while (place.cursor.peek().kind === 'or') {
    place.cursor.take();
    const part = parseAnd(place);
    if (isProblem(part)) return part;
    rest.push(part);
  }
  return any([first, ...rest]);
}

function parseAnd(place: Place): Matcher | Problem {
  const first = parseNot(place);
  if (isProblem(first)) return first;
  const parts = [first];
  while (place.cursor.peek().kind === 'and') {
    place.cursor.take();
    const part = parseNot(place);
    if (isProblem(part)) return part;
    parts.push(part);
  }
  return all(parts);
}

function parseNot({ cursor, depth }: Place): Matcher | Problem {
  const token = cursor.peek();
  if (token.kind !== 'not' && token.kind !== 'open') return parseTermHere(cursor);
  if (depth === maxFilterDepth)
    return problemAt(token, `parentheses and "not" can be at most ${maxFilterDepth} deep`);
  cursor.take();
  if (token.kind === 'open') return parseInside({ cursor, depth: depth + 1 }, token);
  const part = parseNot({ cursor, depth: depth + 1 });
  return isProblem(part) ? part : not(part);
}

function parseInside(place: Place, open: Token): Matcher | Problem {
  const inside = parseOr(place);
  if (isProblem(inside)) return inside;
  const token = place.cursor.peek();
  if (token.kind === 'end') return problemAt(open, 'the parenthesis that closes this one is missing');
  if (token.kind !== 'close') return leftOver(token, place.cursor);
  place.cursor.take();
  return inside;
}

function parseTermHere(cursor: TokenCursor): Matcher | Problem {
  const token = cursor.peek();
  if (token.kind === 'word' || token.kind === 'quoted') return parseTerm(cursor);
  if (token.kind === 'bad') return problemAt(token, token.message);
  const before = cursor.previous();
  if (before !== undefined)
    return problemAt(
      token,
      `after ${shown(before)} there must be a term, such as "tcp", not ${shown(token)}`,
    );
  return problemAt(token, `there must be a term, such as "tcp", before ${shown(token)}`);
}

/** What follows a whole expression, and is no operator. */
function leftOver(token: Token, cursor: TokenCursor): Problem {
  if (token.kind === 'bad') return problemAt(token, token.message);
  if (token.kind === 'close') return problemAt(token, 'no parenthesis is open that this one could close');
  if (token.kind === 'comparison')
    return problemAt(token, 'only the length is compared, such as "len > 1000"');
  const before = cursor.previous();
  if (token.kind === 'word' && !isTermStart(token)) {
    const unknown = parseTerm(cursor);
    if (isProblem(unknown)) return unknown;
  }
  const between = before === undefined ? '' : ` between ${shown(before)} and ${shown(token)}`;
  return problemAt(token, `write "and" or "or"${between}`);
}
