import { type FilterTerm, filterOperators, filterTerms } from './filter-terms.ts';

/** The terms for the help of a command: two columns, in lines of at most `columns`. */
export function filterHelp(columns: number): string {
  const terms = [...filterTerms, ...filterOperators];
  const width = Math.max(...terms.map(({ syntax }) => syntax.length).filter((length) => length <= maxSyntax));
  return terms.map((term) => helpLines(term, { width, columns })).join('');
}

/** A longer syntax has a line of its own. */
const maxSyntax = 16;

function helpLines(
  { syntax, matches, example }: FilterTerm,
  { width, columns }: { readonly width: number; readonly columns: number },
): string {
  const indent = ' '.repeat(width + 4);
  const available = Math.max(20, columns - indent.length);
  const lines = withExample(wordWrapped(matches.replaceAll('`', ''), available), example, available);
  if (syntax.length > width) return [`  ${syntax}`, ...lines.map((line) => indent + line), ''].join('\n');
  return lines.map((line, at) => `${at === 0 ? `  ${syntax.padEnd(width)}  ` : indent}${line}\n`).join('');
}

/** The example behind the last line if it fits there, or else on a line of its own. */
function withExample(lines: readonly string[], example: string, columns: number): readonly string[] {
  const last = `${lines.at(-1) ?? ''}; example: ${example}`;
  return last.length <= columns ? [...lines.slice(0, -1), last] : [...lines, `example: ${example}`];
}

function wordWrapped(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** The terms and the operators as two tables for the documentation. */
export function filterMarkdown(): string {
  return [
    '| term | matches | example |',
    '| --- | --- | --- |',
    ...filterTerms.map(markdownRow),
    '',
    '| operator, the first binds most tightly | matches | example |',
    '| --- | --- | --- |',
    ...filterOperators.map(markdownRow),
    '',
  ].join('\n');
}

function markdownRow({ syntax, matches, example }: FilterTerm): string {
  const words = syntax.split(', ').map(code).join(', ');
  return `| ${words} | ${matches.replaceAll('|', '\\|')} | ${code(example)} |`;
}

/** In a table, a bar ends the cell even in code. */
function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}
