import { apiVersion, type Capture } from '../../api/capture.ts';
import { type CaptureColumn, captureColumns } from '../../api/capture-columns.ts';
import { plainText } from '../../base/plain-text.ts';
import type { MetaVersion } from './representation.ts';

/** What of the object is in each row: kubectl needs the metadata for -A, and the object for --sort-by. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** The beginning of a Table; the rows follow. Only the first event of a watch has the columns. */
export function tableHead(version: MetaVersion, resourceVersion: string, hasColumns: boolean): object {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: { resourceVersion },
    ...(hasColumns && { columnDefinitions }),
  };
}

/** The row of a capture: what the newest of its recordings says, at that time (ms of Unix time). */
export function tableRow(
  capture: Capture,
  include: IncludeObject,
  version: MetaVersion,
  nowMs: number,
): object {
  const cells = columns.map(({ cell }) => {
    const value = cell(capture, nowMs);
    return typeof value === 'string' ? plainText(value) : value;
  });
  switch (include) {
    case 'None':
      return { cells };
    case 'Metadata':
      return { cells, object: metadataObject(capture.metadata, version) };
    case 'Object':
      return { cells, object: capture };
  }
}

/** A row without values, for a bookmark. */
export function emptyRow(object: object): object {
  return { cells: columns.map(() => ''), object };
}

/** Metadata alone, as a PartialObjectMetadata. */
export function metadataObject(metadata: object, version: MetaVersion): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata };
}

/** Without its own resourceVersion, for a bookmark. */
export function bookmarkObject(metadata: object): object {
  return { apiVersion, kind: 'Capture', metadata };
}

/** With what only -o wide shows at the end. */
const columns: readonly (CaptureColumn & { readonly priority?: 1 })[] = [
  captureColumns.name,
  captureColumns.node,
  captureColumns.state,
  captureColumns.files,
  captureColumns.size,
  captureColumns.packets,
  captureColumns.dropped,
  captureColumns.since,
  captureColumns.age,
  { ...captureColumns.frozen, priority: 1 },
  { ...captureColumns.filter, priority: 1 },
  { ...captureColumns.uid, priority: 1 },
];

const columnDefinitions = columns.map(({ name, type, format = '', description, priority = 0 }) => ({
  name,
  type,
  format,
  description,
  priority,
}));
