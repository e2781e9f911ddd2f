import { humanBytes, humanDuration } from '../base/human-units.ts';
import type { Capture, CaptureRecording } from './capture.ts';

/** A column of a table of captures: the server's tables and the command line's have these. */
export type CaptureColumn = {
  readonly name: string;
  readonly type: 'string' | 'integer';
  readonly format?: 'name';
  readonly description: string;
  /** What a capture has in it at that time (ms of Unix time): what the newest of its recordings says. */
  readonly cell: (capture: Capture, nowMs: number) => string | number;
};

/** As kubectl writes what is not known, and what there is none of. */
export const unknownCell = '<unknown>';
export const noneCell = '<none>';

export const captureColumns = {
  name: {
    name: 'Name',
    type: 'string',
    format: 'name',
    description: 'Name of the Pod.',
    cell: ({ metadata }) => metadata.name,
  },
  node: column('Node', 'Node of the Pod of the newest recording.', ({ node }) => node),
  state: column(
    'State',
    'State of the newest recording, with the reason if it was refused or has failed.',
    ({ phase, reason }) =>
      (phase === 'Refused' || phase === 'Failed') && reason !== undefined ? `${phase}:${reason}` : phase,
  ),
  files: {
    ...column('Files', 'Capture files, with those of frozen rings.', ({ files }) => files),
    type: 'integer',
  },
  size: column('Size', 'Size of these files.', ({ bytes }) => humanBytes(bytes)),
  packets: column('Packets', 'Packets in these files.', ({ packets }) => count(packets)),
  dropped: column('Dropped', 'Packets that the kernel dropped because tcpdump was too slow.', ({ dropped }) =>
    count(dropped),
  ),
  lost: column('Lost', 'Packets that were lost at a stop.', ({ lostAtStop }) => count(lostAtStop)),
  missed: column('Missed', 'At most this many passed while nothing was listening.', ({ missed }) =>
    count(missed),
  ),
  unseen: column(
    'Unseen',
    'At least this many that the interface counted and tcpdump could not get.',
    ({ unseen, isUnseenPartial }) => `${count(unseen)}${unseen !== undefined && isUnseenPartial ? '+' : ''}`,
  ),
  span: column('Span', 'From the first to the last packet in the files.', span),
  since: column('Since', 'How long the newest recording has been in its state.', ({ phaseSince }, nowMs) =>
    since(phaseSince, nowMs),
  ),
  age: {
    name: 'Age',
    type: 'string',
    description: 'How long ago the oldest recording began.',
    cell: ({ metadata }, nowMs) => since(metadata.creationTimestamp, nowMs),
  },
  frozen: column('Frozen', 'Numbers of its frozen rings.', frozenNumbers),
  filter: column(
    'Filter',
    'Filter that was last asked for.',
    ({ requested }) => requested?.filter ?? noneCell,
  ),
  uid: column('UID', 'UID of the Pod of the newest recording.', ({ uid }) => uid),
} as const satisfies Readonly<Record<string, CaptureColumn>>;

function column(
  name: string,
  description: string,
  cell: (newest: CaptureRecording, nowMs: number) => string | number,
): CaptureColumn {
  return {
    name,
    type: 'string',
    description,
    cell({ status }, nowMs) {
      const [newest] = status.recordings;
      return newest ? cell(newest, nowMs) : unknownCell;
    },
  };
}

function frozenNumbers({ frozen = [] }: CaptureRecording): string {
  return frozen.map(({ number }) => number).join(',') || noneCell;
}

function count(packets: number | undefined): string {
  return packets === undefined ? unknownCell : String(packets);
}

function span({ firstPacketTime, lastPacketTime, packets }: CaptureRecording): string {
  if (packets === 0) return noneCell;
  const ms = Date.parse(lastPacketTime ?? '') - Date.parse(firstPacketTime ?? '');
  return Number.isNaN(ms) ? unknownCell : humanDuration(ms);
}

function since(time: string, nowMs: number): string {
  const startMs = Date.parse(time);
  return Number.isNaN(startMs) ? unknownCell : humanDuration(nowMs - startMs);
}
