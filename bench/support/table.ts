import type { Figure, Measurement, Row } from '../figure.ts';

type Column = {
  readonly isText?: boolean;
  readonly title: string;
  readonly cell: (row: Row) => string;
};

const columns: readonly Column[] = [
  { title: 'variant', isText: true, cell: ({ variant }) => variant },
  { title: 'parameter', isText: true, cell: ({ parameter }) => parameter },
  { title: 'min', cell: ({ min }) => rounded(min) },
  { title: 'median', cell: ({ median }) => rounded(median) },
  { title: 'p90', cell: ({ p90 }) => rounded(p90) },
  { title: 'p99', cell: ({ p99 }) => rounded(p99) },
  { title: 'max', cell: ({ max }) => rounded(max) },
  { title: 'ratio', cell: ({ ratio }) => (ratio ? `${rounded(ratio.median)} (${bounds(ratio)})` : '') },
  { title: 'runs', cell: ({ runs }) => String(runs) },
  { title: '', isText: true, cell: ({ remark = '' }) => remark },
];

/** A measurement as text: the figure's goal, and a line for each row. */
export function tableOf({ name, unit, goal }: Figure, { isReached, rows }: Measurement): string {
  const used = columns.filter(({ cell }) => rows.some((row) => cell(row) !== ''));
  const texts = used.map((column) => aligned(column, rows));
  const lines = Array.from({ length: rows.length + 1 }, (_, i) => texts.map((cells) => cells[i]).join('  '));
  return [
    `${name} (${unit}); goal: ${goal}: ${isReached ? 'reached' : 'missed'}`,
    ...lines.map((line) => `  ${line.trimEnd()}`),
  ].join('\n');
}

/** The cells of one column, all of the same width: text aligned left, numbers aligned right. */
function aligned({ title, cell, isText }: Column, rows: readonly Row[]): string[] {
  const cells = [title, ...rows.map(cell)];
  const width = Math.max(...cells.map((text) => text.length));
  return cells.map((text) => (isText ? text.padEnd(width) : text.padStart(width)));
}

function bounds({ low, high }: NonNullable<Row['ratio']>): string {
  return `${rounded(low)} to ${rounded(high)}`;
}

function rounded(value: number | undefined): string {
  return value === undefined ? '' : String(Math.round(value * 1000) / 1000);
}
