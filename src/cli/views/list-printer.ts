import { apiGroup } from '../../api/capture.ts';
import { plainJson } from '../../base/plain-text.ts';
import { capturesTable, type TableOptions } from './captures-table.ts';
import type { ListFormat } from './list-arguments.ts';
import type { ListedCapture } from './listed-captures.ts';
import { yamlText } from './yaml-text.ts';

/** A capture of a list. `isGone`: it was there when it was printed last. */
export type PrintedCapture = ListedCapture & { readonly isGone?: boolean };

/** Makes the text of captures: once, or again for what has changed. */
export type ListPrinter = {
  readonly text: (captures: readonly PrintedCapture[], nowMs: number) => string;
  /** The headings of the columns for which the terminal is too narrow. */
  readonly leftOut: () => readonly string[];
};

export type ListPrinterOptions = Omit<TableOptions, 'isWide'> & {
  readonly format: ListFormat;
  /** A document for each capture, as `kubectl get` prints the one that is named, and in a watch; otherwise a List. */
  readonly isEachAlone: boolean;
};

export function listPrinter(options: ListPrinterOptions): ListPrinter {
  switch (options.format) {
    case 'table':
      return tablePrinter({ ...options, isWide: false });
    case 'wide':
      return tablePrinter({ ...options, isWide: true, columns: undefined });
    case 'name':
      return printerOf((captures) =>
        captures.map(({ capture }) => `capture.${apiGroup}/${capture.metadata.name}\n`).join(''),
      );
    case 'json':
      return documentPrinter(options, (document) => `${plainJson(document)}\n`);
    case 'yaml':
      return yamlPrinter(options);
  }
}

function tablePrinter(options: TableOptions): ListPrinter {
  const table = capturesTable(options);
  return { text: table.rows, leftOut: table.leftOut };
}

function yamlPrinter(options: ListPrinterOptions): ListPrinter {
  let separator = '';
  return documentPrinter(options, (document) => {
    const text = `${separator}${yamlText(document)}`;
    separator = '---\n';
    return text;
  });
}

function documentPrinter(
  { isEachAlone }: ListPrinterOptions,
  write: (document: object) => string,
): ListPrinter {
  return printerOf((captures) => {
    const objects = captures.map(({ object }) => object);
    return isEachAlone
      ? objects.map(write).join('')
      : write({ apiVersion: 'v1', kind: 'List', metadata: {}, items: objects });
  });
}

function printerOf(text: (captures: readonly PrintedCapture[]) => string): ListPrinter {
  return { text, leftOut: () => [] };
}
