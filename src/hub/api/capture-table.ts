import { apiVersion, type Capture, type CaptureRecording } from '../../api/capture.ts';
import { plainText } from '../../base/plain-text.ts';
import { humanBytes, humanDuration } from './human-units.ts';
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

type Column = {
  readonly name: string;
  readonly type: 'string' | 'integer';
  readonly format?: 'name';
  readonly description: string;
  /** 1: only with -o wide. */
  readonly priority?: 1;
  readonly cell: (capture: Capture, nowMs: number) => string | number;
};

/** As kubectl writes what is not known. */
const unknown = '<unknown>';

const columns: readonly Column[] = [
  {
    name: 'Name',
    type: 'string',
    format: 'name',
    description: 'Name of the Pod.',
    cell: ({ metadata }) => metadata.name,
  },
  column('Node', 'Node of the Pod of the newest recording.', ({ node }) => node),
  column(
    'State',
    'State of the newest recording, with the reason if it was refused or has failed.',
    ({ phase, reason }) =>
      (phase === 'Refused' || phase === 'Failed') && reason !== undefined ? `${phase}:${reason}` : phase,
  ),
  {
    ...column('Files', 'Capture files, with those of frozen rings.', ({ files }) => files),
    type: 'integer',
  },
  column('Size', 'Size of these files.', ({ bytes }) => humanBytes(bytes)),
  column('Packets', 'Packets in these files.', ({ packets }) => count(packets)),
  column('Dropped', 'Packets that the kernel dropped because tcpdump was too slow.', ({ dropped }) =>
    count(dropped),
  ),
  column('Since', 'How long the newest recording has been in its state.', ({ phaseSince }, nowMs) =>
    since(phaseSince, nowMs),
  ),
  {
    name: 'Age',
    type: 'string',
    description: 'How long ago the oldest recording began.',
    cell: ({ metadata }, nowMs) => since(metadata.creationTimestamp, nowMs),
  },
  { ...column('Frozen', 'Numbers of its frozen rings.', frozenNumbers), priority: 1 },
  {
    ...column('Filter', 'Filter that was last asked for.', ({ requested }) => requested?.filter ?? '<none>'),
    priority: 1,
  },
  { ...column('UID', 'UID of the Pod of the newest recording.', ({ uid }) => uid), priority: 1 },
];

const columnDefinitions = columns.map(({ name, type, format = '', description, priority = 0 }) => ({
  name,
  type,
  format,
  description,
  priority,
}));

function column(
  name: string,
  description: string,
  cell: (newest: CaptureRecording, nowMs: number) => string | number,
): Column {
  return {
    name,
    type: 'string',
    description,
    cell({ status }, nowMs) {
      const [newest] = status.recordings;
      return newest ? cell(newest, nowMs) : unknown;
    },
  };
}

function frozenNumbers({ frozen = [] }: CaptureRecording): string {
  return frozen.map(({ number }) => number).join(',') || '<none>';
}

function count(packets: number | undefined): string {
  return packets === undefined ? unknown : String(packets);
}

function since(time: string, nowMs: number): string {
  const startMs = Date.parse(time);
  return Number.isNaN(startMs) ? unknown : humanDuration(nowMs - startMs);
}
