import { plainText } from '../../base/plain-text.ts';
import type { Problem } from './matcher.ts';

/**
 * A filter, and under it what is wrong and where, for a terminal or any text in a font of fixed width:
 *
 *     port eighty
 *          ^^^^^^ a port must be a number ...
 *
 * Where the text is wider than `columns`, the part around the problem is shown, with … where it goes on. A message that
 * does not fit behind the carets has its own line. Characters that a terminal acts on are shown as escapes.
 */
export function showProblem(text: string, problem: Problem, columns: number): string {
  const cells = cellsOf(text);
  const first = cells.findIndex(({ at, length }) => at + length > problem.at);
  const from = first < 0 ? cells.length : first;
  const to = Math.max(from, cells.findLastIndex(({ at }) => at < problem.at + problem.length) + 1);
  const window = windowAround(cells, { from, to }, Math.max(minColumns, columns));
  const shown = cells.slice(window.from, window.to);
  const [before, after] = [window.from > 0 ? '…' : '', window.to < cells.length ? '…' : ''];
  const column = before.length + widthOf(cells.slice(window.from, from));
  const carets = '^'.repeat(Math.max(1, widthOf(cells.slice(from, Math.min(to, window.to)))));
  const line = `${before}${shown.map((cell) => cell.shown).join('')}${after}`;
  const marked = `${' '.repeat(column)}${carets}`;
  return column + carets.length + 1 + problem.message.length <= columns
    ? `${line}\n${marked} ${problem.message}`
    : `${line}\n${marked}\n${problem.message}`;
}

const minColumns = 20;

/** A character of the text, and what is shown for it. */
type Cell = {
  readonly at: number;
  readonly length: number;
  readonly shown: string;
  readonly columns: number;
};

function cellsOf(text: string): readonly Cell[] {
  let at = 0;
  return Array.from(text, (character) => {
    const shown = plainText(character);
    const columns = shown === character ? columnsOf(character) : shown.length;
    const cell = { at, length: character.length, shown, columns };
    at += character.length;
    return cell;
  });
}

/** The most important ranges of East Asian Wide and Fullwidth in Unicode's EastAsianWidth.txt, and emoji. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;

/** Marks are drawn over the character before them. */
function columnsOf(character: string): number {
  if (/\p{M}/u.test(character)) return 0;
  return wide.test(character) ? 2 : 1;
}

function widthOf(cells: readonly Cell[]): number {
  return cells.reduce((sum, { columns }) => sum + columns, 0);
}

type CellRange = { readonly from: number; readonly to: number };

/** The cells to show: all of them, or the problem's first and as many on both sides as fit, most of them before it. */
function windowAround(cells: readonly Cell[], problem: CellRange, columns: number): CellRange {
  if (widthOf(cells) <= columns) return { from: 0, to: cells.length };
  const available = columns - 2;
  let { from } = problem;
  let to = from;
  let width = 0;
  const fits = (cell: Cell | undefined, limit: number) => cell !== undefined && width + cell.columns <= limit;
  const extend = (end: number, limit: number) => {
    while (to < end && fits(cells[to], limit)) width += cells[to++]?.columns ?? 0;
  };
  extend(problem.to, Math.ceil(available / 2));
  while (from > 0 && fits(cells[from - 1], available)) width += cells[--from]?.columns ?? 0;
  extend(cells.length, available);
  return { from, to };
}
