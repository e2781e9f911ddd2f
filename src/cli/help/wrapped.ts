/** The lines of a text in at most `columns`, broken between words. A longer word has a line of its own. */
export function wrapped(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter((each) => each !== '')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

export type DefinitionLayout = {
  /** Of the first column, with its indentation. */
  readonly termColumns: number;
  /** Of a whole line. */
  readonly columns: number;
};

/**
 * Two columns: terms, and what they mean. A term that is too long for its column has a line of its own; the second column
 * goes on under itself.
 */
export function definitions(
  entries: readonly (readonly [term: string, meaning: string])[],
  { termColumns, columns }: DefinitionLayout,
): string {
  return entries
    .flatMap(([term, meaning]) => {
      const indent = ' '.repeat(termColumns);
      const [first = '', ...more] = wrapped(meaning, columns - termColumns);
      const start = `  ${term}`;
      const head =
        start.length + 2 <= termColumns
          ? [`${start.padEnd(termColumns)}${first}`]
          : [start, `${indent}${first}`];
      return [...head, ...more.map((line) => `${indent}${line}`)];
    })
    .map((line) => `${line}\n`)
    .join('');
}
