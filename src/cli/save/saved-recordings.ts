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

/** Recordings that could not be downloaded, or only in part. */
export function isIncomplete({ recordings, warnings }: SavedRecordings): boolean {
  return (
    warnings.length > 0 ||
    recordings.some(
      ({ download }) => download.kind === 'failed' || !download.end.isComplete || download.gaps.length > 0,
    )
  );
}

/** What the file lacks, for the file itself: a line for each recording that lacks something. Pure. */
export function missingLines(saved: SavedRecordings): readonly string[] {
  const lacking = saved.recordings.flatMap(({ name, download }) => {
    const lacks = download.kind === 'failed' ? [] : lacksOf(download);
    return lacks.length === 0 ? [] : [`${name} lacks ${lacks.join(', ')}`];
  });
  return [...failureLines(saved), ...lacking, ...saved.warnings].map(plainLines);
}

/** The same for people, who want to know about all Pods at once what each of many lacks: hardly one misses nothing. Pure. */
export function missingSummary(saved: SavedRecordings): readonly string[] {
  const downloads = saved.recordings.flatMap(({ name, download }) =>
    download.kind === 'failed' ? [] : [{ name, download }],
  );
  const lacking = downloads.flatMap(({ name, download }) => {
    const lacks = downloadLacks(download);
    return lacks.length === 0 ? [] : [`${name} lacks ${lacks.join(', ')}`];
  });
  const counted = countedLacks.flatMap(({ of, text }) => {
    const some = downloads.filter(({ download }) => of(download.end) > 0);
    if (some.length === 0) return [];
    const sum = some.reduce((packets, { download }) => packets + of(download.end), 0);
    const pods = some.length <= mostSummed ? some.map(({ name }) => name).join(', ') : `${some.length} Pods`;
    return [`${pods}: ${text(packetsText(sum))}`];
  });
  return [...failureLines(saved), ...lacking, ...counted, ...saved.warnings].map(plainLines);
}

const mostSummed = 3;

/** Where the hub is gone, all of them have the same. */
function failureLines({ recordings }: SavedRecordings): readonly string[] {
  const failed = recordings.flatMap(({ name, download }) =>
    download.kind === 'failed' ? [{ name, message: download.message }] : [],
  );
  return [...Map.groupBy(failed, ({ message }) => message)].map(([message, some]) => {
    const names = listedNames(some.map(({ name }) => name));
    return `${names} ${some.length === 1 ? 'is' : 'are'} not in it: ${message}`;
  });
}

const mostNames = 10;

/** Some of the names, and how many more there are. */
export function listedNames(names: readonly string[]): string {
  const more = names.length - mostNames;
  return `${names.slice(0, mostNames).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** A message of the hub can have several lines. */
function plainLines(text: string): string {
  return text.split('\n').map(plainText).join('\n');
}

function lacksOf(download: DownloadedRecording): readonly string[] {
  const counted = countedLacks.flatMap(({ of, text }) => {
    const packets = of(download.end);
    return packets === 0 ? [] : [text(packetsText(packets))];
  });
  return [...downloadLacks(download), ...counted];
}

/** What the download lacks of the recording. */
function downloadLacks({ end, gaps }: DownloadedRecording): readonly string[] {
  return [
    ...(end.isComplete ? [] : [`${restOf(end)} (${end.message ?? end.reason})`]),
    ...gapTexts(gaps),
    ...(end.notes ?? []),
  ];
}

type CountedLack = {
  readonly of: (end: DownloadedRecording['end']) => number;
  readonly text: (packets: string) => string;
};

/** What the recording itself is known to lack. */
const countedLacks: readonly CountedLack[] = [
  { of: ({ dropped = 0 }) => dropped, text: (packets) => `${packets} dropped` },
  { of: ({ lostAtStop = 0 }) => lostAtStop, text: (packets) => `${packets} lost at stop` },
  {
    of: ({ missed = 0 }) => missed,
    text: (packets) => `at most ${packets} that passed while nothing was listening`,
  },
  {
    of: ({ unseen = 0 }) => unseen,
    text: (packets) => `at least ${packets} that the interface counted and did not show`,
  },
];

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
  Unknown: 'for a reason that this version does not know',
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

/** "1 packet", "2 packets". */
export function packetsText(packets: number): string {
  return packets === 1 ? '1 packet' : `${packets} packets`;
}
