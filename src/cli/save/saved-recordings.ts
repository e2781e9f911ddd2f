import type { StreamGap } from '../../api/stream-frames.ts';
import { plainText } from '../../base/plain-text.ts';
import type { Download, DownloadedRecording } from './download-recording.ts';

/** What became of each recording that was to be saved, and what was never found. */
export type SavedRecordings = {
  readonly recordings: readonly SavedRecording[];
  /** In words of the hub: Nodes whose captures could not be listed. */
  readonly warnings: readonly string[];
};

export type SavedRecording = { readonly name: string; readonly download: Download };

/** Recordings of which nothing, or not all that was asked for, could be downloaded. */
export function isIncomplete({ recordings, warnings }: SavedRecordings): boolean {
  return (
    warnings.length > 0 ||
    recordings.some(
      ({ download }) => download.kind === 'failed' || !download.end.isComplete || download.gaps.length > 0,
    )
  );
}

/** What the file lacks, for people and for the file: a line for each recording that lacks something. Pure. */
export function missingLines({ recordings, warnings }: SavedRecordings): readonly string[] {
  const failed = recordings.flatMap(({ name, download }) =>
    download.kind === 'failed' ? [{ name, message: download.message }] : [],
  );
  // Where the hub is gone, all of them have the same.
  const failures = [...Map.groupBy(failed, ({ message }) => message)].map(([message, some]) => {
    const names = listedNames(some.map(({ name }) => name));
    return `${names} ${some.length === 1 ? 'is' : 'are'} not in it: ${message}`;
  });
  const lacking = recordings.flatMap(({ name, download }) => {
    const lacks = download.kind === 'failed' ? [] : lacksOf(download);
    return lacks.length === 0 ? [] : [`${name} lacks ${lacks.join(', ')}`];
  });
  return [...failures, ...lacking, ...warnings].map(plainLines);
}

const mostNames = 10;

function listedNames(names: readonly string[]): string {
  const more = names.length - mostNames;
  return `${names.slice(0, mostNames).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** A message of the hub can have several lines. */
function plainLines(text: string): string {
  return text.split('\n').map(plainText).join('\n');
}

function lacksOf({ end, gaps }: DownloadedRecording): readonly string[] {
  const { dropped = 0, lostAtStop = 0, missed = 0, unseen = 0, notes = [] } = end;
  return [
    ...(end.isComplete ? [] : [`${restOf(end)} (${end.message ?? end.reason})`]),
    ...gapTexts(gaps),
    ...counted(dropped, (packets) => `${packets} dropped`),
    ...counted(lostAtStop, (packets) => `${packets} lost at stop`),
    ...counted(missed, (packets) => `at most ${packets} that passed while nothing was listening`),
    ...counted(unseen, (packets) => `at least ${packets} that the interface counted and did not show`),
    ...notes,
  ];
}

/** Files can be damaged in the middle. */
function restOf({ reason }: DownloadedRecording['end']): string {
  return reason === 'DamagedFiles' ? 'what could not be read' : 'what follows the part that was sent';
}

const gapNames: Readonly<Record<StreamGap['reason'], string>> = {
  ReaderTooSlow: 'which this reader was too slow for',
  Pruned: 'pruned while they were read',
  Dropped: 'dropped while they were read',
  CaptureRestarted: 'while the capture was started again',
  DamagedFiles: 'which could not be read',
};

/** One for each reason: there can be many gaps. */
function gapTexts(gaps: readonly StreamGap[]): readonly string[] {
  return [...Map.groupBy(gaps, ({ reason }) => reason)].map(([reason, some]) => {
    const isCounted = some.every(({ packets }) => packets !== undefined);
    const sum = some.reduce((packets, gap) => packets + (gap.packets ?? 0), 0);
    const count = isCounted ? packetsText(sum) : sum > 0 ? `more than ${packetsText(sum)}` : 'packets';
    return `${count} ${gapNames[reason]}`;
  });
}

function counted(packets: number, text: (packets: string) => string): readonly string[] {
  return packets === 0 ? [] : [text(packetsText(packets))];
}

/** "1 packet", "2 packets". */
export function packetsText(packets: number): string {
  return packets === 1 ? '1 packet' : `${packets} packets`;
}
