import type { Token } from './tokens.ts';

/** Walks the tokens of an expression; it stays at the last one, which is `end` or `bad`. */
export type TokenCursor = {
  readonly peek: () => Token;
  /** Returns the current token and moves to the next one. */
  readonly take: () => Token;
  /** The token that was taken last. */
  readonly previous: () => Token | undefined;
};

export function cursorOf(tokens: readonly Token[]): TokenCursor {
  let at = 0;
  const end: Token = tokens.at(-1) ?? { kind: 'end', text: '', at: 0, length: 0 };
  return {
    peek: () => tokens[at] ?? end,
    take() {
      const token = tokens[at] ?? end;
      at += 1;
      return token;
    },
    previous: () => tokens[at - 1],
  };
}

/** A term to write in place of a word, before `next`: in parentheses if what is around it would take it apart. */
export function grouped(term: string, { at }: Token, next: Token): string {
  const isAlone = at === 0 && next.kind === 'end';
  return !isAlone && / (and|or) /.test(term) ? `(${term})` : term;
}

/** A token as a message names it. */
export function shown({ text, kind }: Token): string {
  if (kind === 'end') return 'the end';
  if (kind === 'quoted') return 'the text';
  return text.length > 40 ? `"${Array.from(text).slice(0, 40).join('')}…"` : `"${text}"`;
}
