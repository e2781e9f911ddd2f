import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ifExists } from '../../base/fs-errors.ts';
import { type CaptureRecord, readRecord, startedGenerations } from './capture-records.ts';
import { folderName, type PodFolder, parseFolderName, parseRecordName, type RingFile } from './file-names.ts';
import { hasPodEnded } from './pod-end.ts';
import { listRingFiles } from './ring-files.ts';
import { orderByAge, orderGenerations } from './ring-order.ts';

/** What is stored of one Pod. */
export type Recording = {
  readonly folder: string;
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  /** An agent has seen that the Pod ended. */
  readonly hasPodEnded: boolean;
  /** One for each start of tcpdump, oldest first. */
  readonly generations: readonly RecordingGeneration[];
};

export type RecordingGeneration = {
  readonly number: number;
  /** Undefined if it is lost, invalid, or not the agent's. */
  readonly record: CaptureRecord | undefined;
  /** Oldest first; empty if all of them have been deleted. */
  readonly files: readonly RecordingFile[];
};

export type RecordingFile = {
  readonly path: string;
  readonly bytes: number;
  /** Among the files of its generation, from 0. */
  readonly index: number;
};

/** Every recording in the folder of captures, by namespace, Pod and age. Throws what readdir(2) says of that folder. */
export async function findRecordings(capturesFolder: string): Promise<readonly Recording[]> {
  const recordings: Recording[] = [];
  for (const entry of await readdir(capturesFolder, { withFileTypes: true })) {
    const named = entry.isDirectory() ? parseFolderName(entry.name) : undefined;
    const recording = named && (await readRecording(join(capturesFolder, entry.name), named));
    if (recording) recordings.push(recording);
  }
  return recordings.toSorted((a, b) => compare(sortKey(a), sortKey(b)));
}

/** The recording in a Pod's folder; undefined if the folder has been deleted meanwhile. */
export async function readRecording(folder: string, named: PodFolder): Promise<Recording | undefined> {
  const names = await ifExists(readdir(folder));
  const files = await ifExists(listRingFiles(folder));
  if (names === undefined || files === undefined) return undefined;
  const numbers = [
    ...names.flatMap((name) => parseRecordName(name) ?? []),
    ...files.map(({ generation }) => generation),
  ];
  const filesOf = Map.groupBy(files, ({ generation }) => generation);
  const generations: RecordingGeneration[] = [];
  const started = (await ifExists(startedGenerations(folder))) ?? new Set();
  for (const number of orderGenerations(numbers, started)) {
    const record = await readRecord(folder, number).then((read) => (isOf(named, read) ? read : undefined));
    generations.push({ number, record, files: await orderedFiles(folder, filesOf.get(number) ?? []) });
  }
  const record = newestRecord(generations);
  // A long name is cut in the folder's name, but not in the record.
  return {
    folder,
    ...named,
    pod: record?.pod ?? named.pod,
    hasPodEnded: await hasPodEnded(folder),
    generations,
  };
}

/** A record that was copied or linked from another Pod's folder is no record of this one. */
function isOf(named: PodFolder, record: CaptureRecord | undefined): boolean {
  return record !== undefined && folderName(record) === folderName(named);
}

/** Undefined if no generation has a valid record. */
export function newestRecord(generations: readonly RecordingGeneration[]): CaptureRecord | undefined {
  return generations.findLast(({ record }) => record !== undefined)?.record;
}

/** The files of one generation that still exist, oldest first. */
async function orderedFiles(folder: string, files: readonly RingFile[]): Promise<RecordingFile[]> {
  const existing: RecordingFile[] = [];
  for (const { name, index } of orderByAge(files, new Set())) {
    const path = join(folder, name);
    const stats = await ifExists(lstat(path));
    if (stats) existing.push({ path, bytes: stats.size, index });
  }
  return existing;
}

function sortKey({ namespace, pod, generations }: Recording): string {
  return [namespace, pod, newestRecord(generations)?.startTime ?? ''].join('\0');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
