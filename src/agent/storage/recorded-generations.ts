import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ifExists } from '../../base/fs-errors.ts';
import { type CaptureRecord, readRecord, startedGenerations } from './capture-records.ts';
import { parseRecordName, type RingFile } from './file-names.ts';
import { listRingFiles } from './ring-files.ts';
import { orderByAge, orderGenerations } from './ring-order.ts';

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

/** The generations in a folder, oldest first; undefined if the folder does not exist. */
export async function readGenerations(folder: string): Promise<RecordingGeneration[] | undefined> {
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
    const record = await readRecord(folder, number);
    generations.push({ number, record, files: await orderedFiles(folder, filesOf.get(number) ?? []) });
  }
  return generations;
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
