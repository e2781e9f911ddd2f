import type { Capture } from '../../api/capture.ts';
import { type CaptureColumn, captureColumns } from '../../api/capture-columns.ts';
import { plainText } from '../../base/plain-text.ts';
import { type Colour, coloured } from '../live/line-colours.ts';

export type TableOptions = {
  readonly hasNamespaces: boolean;
  readonly isWide: boolean;
  readonly hasColours: boolean;
  /** Of the terminal; undefined where nothing is left out: in a pipe, and with -o wide. */
  readonly columns: number | undefined;
};

/** A table to which rows are added as in `kubectl get --watch`: its columns stay, and grow no narrower. */
export type CapturesTable = {
  /** The lines of the heading, once, and of these captures, as they are at that time (ms of Unix time). */
  readonly rows: (captures: readonly TableCapture[], nowMs: number) => string;
  /** The headings of the columns for which the terminal is too narrow; known once there are rows. */
  readonly leftOut: () => readonly string[];
};

export type TableCapture = {
  readonly capture: Capture;
  /** It is not there any more. */
  readonly isGone?: boolean;
};

export function capturesTable(options: TableOptions): CapturesTable {
  const all = shownColumns(options);
  let shown: readonly TableColumn[] | undefined;
  const widths = new Map<TableColumn, number>();
  return {
    rows(captures, nowMs) {
      const rows = captures.map(
        (each) => new Map(all.map((column) => [column, cellOf(column, each, nowMs)])),
      );
      const isFirst = shown === undefined;
      for (const column of all) {
        const longest = Math.max(...rows.map((row) => row.get(column)?.length ?? 0), column.heading.length);
        widths.set(column, Math.max(widths.get(column) ?? 0, longest));
      }
      shown ??= fitting(all, rows, { widths, columns: options.columns });
      const columns = shown;
      const heading = new Map(all.map((column) => [column, column.heading]));
      return [
        ...(isFirst ? [lineOf(columns, heading, { widths, hasColours: false })] : []),
        ...rows.map((row) => lineOf(columns, row, { widths, hasColours: options.hasColours })),
      ].join('');
    },
    leftOut: () => (shown === undefined ? [] : all.filter((each) => !shown?.includes(each)).map(headingOf)),
  };
}

const gap = '   ';

type TableColumn = Pick<CaptureColumn, 'cell'> & {
  readonly heading: string;
  /** The least is left out first; Infinity: never. */
  readonly importance: number;
  readonly colourOf?: (cell: string) => Colour | undefined;
};

type TableRow = ReadonlyMap<TableColumn, string>;

/** In the order of the server's table, with the counters that it leaves out. */
const narrowColumns: readonly TableColumn[] = [
  tableColumn(captureColumns.name, Infinity),
  tableColumn(captureColumns.node, 8),
  { ...tableColumn(captureColumns.state, Infinity), colourOf: stateColour },
  tableColumn(captureColumns.files, 3),
  tableColumn(captureColumns.size, 9),
  tableColumn(captureColumns.packets, 10),
  { ...tableColumn(captureColumns.dropped, 11), colourOf: lossColour },
  { ...tableColumn(captureColumns.lost, 6), colourOf: lossColour },
  { ...tableColumn(captureColumns.missed, 4), colourOf: lossColour },
  { ...tableColumn(captureColumns.unseen, 5), colourOf: lossColour },
  tableColumn(captureColumns.span, 2),
  tableColumn(captureColumns.frozen, 1),
];

const wideColumns: readonly TableColumn[] = [
  captureColumns.since,
  captureColumns.age,
  captureColumns.filter,
  captureColumns.uid,
].map((column) => tableColumn(column, 0));

const namespaceColumn: TableColumn = {
  heading: 'NAMESPACE',
  cell: ({ metadata }) => metadata.namespace,
  importance: Infinity,
};

function shownColumns({ hasNamespaces, isWide }: TableOptions): readonly TableColumn[] {
  return [...(hasNamespaces ? [namespaceColumn] : []), ...narrowColumns, ...(isWide ? wideColumns : [])];
}

function tableColumn({ name, cell }: CaptureColumn, importance: number): TableColumn {
  return { heading: name.toUpperCase(), cell, importance };
}

function headingOf({ heading }: TableColumn): string {
  return heading;
}

function cellOf({ heading, cell }: TableColumn, { capture, isGone = false }: TableCapture, nowMs: number) {
  return isGone && heading === 'STATE' ? 'Gone' : plainText(String(cell(capture, nowMs)));
}

/** The columns that fit. Those that say nothing in any row go first. */
function fitting(
  all: readonly TableColumn[],
  rows: readonly TableRow[],
  {
    widths,
    columns = Infinity,
  }: { readonly widths: ReadonlyMap<TableColumn, number>; readonly columns?: number | undefined },
): readonly TableColumn[] {
  const says = (column: TableColumn) => rows.some((row) => !/^(0|<.*>|)$/.test(row.get(column) ?? ''));
  const candidates = all
    .filter(({ importance }) => importance !== Infinity)
    .toSorted((a, b) => Number(says(a)) - Number(says(b)) || a.importance - b.importance);
  const shown = new Set(all);
  const width = () =>
    [...shown].reduce((sum, column) => sum + (widths.get(column) ?? 0) + gap.length, -gap.length);
  for (const column of candidates) {
    if (width() <= columns) break;
    shown.delete(column);
  }
  return [...shown];
}

function lineOf(
  columns: readonly TableColumn[],
  row: TableRow,
  { widths, hasColours }: { readonly widths: ReadonlyMap<TableColumn, number>; readonly hasColours: boolean },
): string {
  const cells = columns.map((column, at) => {
    const cell = row.get(column) ?? '';
    const colour = hasColours ? column.colourOf?.(cell) : undefined;
    const padding = at === columns.length - 1 ? '' : ' '.repeat((widths.get(column) ?? 0) - cell.length);
    return `${colour === undefined ? cell : coloured(cell, colour)}${padding}`;
  });
  return `${cells.join(gap)}\n`;
}

function stateColour(state: string): Colour | undefined {
  return stateColours.get(state.replace(/:[^]*$/, ''));
}

const stateColours: ReadonlyMap<string, Colour> = new Map([
  ['Capturing', 'green'],
  ['Refused', 'red'],
  ['Failed', 'red'],
  ['Waiting', 'yellow'],
  ['Unknown', 'yellow'],
]);

/** What is unknown is no loss that anybody knows of. */
function lossColour(count: string): Colour | undefined {
  return /^[1-9]/.test(count) ? 'red' : undefined;
}
