import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ifExists } from '../../base/fs-errors.ts';
import { type CaptureRecord, readRecord } from './capture-records.ts';
import { type PodFolder, parseFolderName, parseRecordName, parseRingFile } from './file-names.ts';
import { type AgedFile, orderByAge } from './ring-order.ts';

/** What is kept of one Pod. */
export type Recording = {
  readonly folder: string;
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  /** One for each start of tcpdump, oldest first. */
  readonly generations: readonly RecordingGeneration[];
};

export type RecordingGeneration = {
  readonly number: number;
  /** Undefined where it is lost or cannot be read. */
  readonly record: CaptureRecord | undefined;
  /** Oldest first; none where all are gone. */
  readonly files: readonly KeptFile[];
};

export type KeptFile = { readonly path: string; readonly bytes: number };

/** Every Pod of which something is kept. Throws what readdir(2) says of the captures folder. */
export async function findRecordings(capturesFolder: string): Promise<readonly Recording[]> {
  const captures: Recording[] = [];
  for (const entry of await readdir(capturesFolder, { withFileTypes: true })) {
    const named = entry.isDirectory() ? parseFolderName(entry.name) : undefined;
    const capture = named && (await readRecording(join(capturesFolder, entry.name), named));
    if (capture) captures.push(capture);
  }
  return captures.toSorted((a, b) => compare(sortKey(a), sortKey(b)));
}

/** Undefined when the folder has gone meanwhile. */
export async function readRecording(folder: string, named: PodFolder): Promise<Recording | undefined> {
  const names = await ifExists(readdir(folder));
  if (names === undefined) return undefined;
  const files = names.flatMap((name) => parseRingFile(name) ?? []);
  const numbers = names.flatMap((name) => parseRecordName(name) ?? parseRingFile(name)?.generation ?? []);
  const generations: RecordingGeneration[] = [];
  for (const number of new Set(numbers.toSorted((a, b) => a - b)))
    generations.push({
      number,
      record: await readRecord(folder, number),
      files: await ringOf(
        folder,
        files.filter(({ generation }) => generation === number),
      ),
    });
  const record = newestRecord(generations);
  // A long name is cut in the folder's name, but not in the record.
  return { folder, ...named, pod: record?.pod ?? named.pod, generations };
}

export function newestRecord(generations: readonly RecordingGeneration[]): CaptureRecord | undefined {
  return generations.findLast(({ record }) => record !== undefined)?.record;
}

async function ringOf(folder: string, files: readonly AgedFile[]): Promise<KeptFile[]> {
  const sorted = files.toSorted((a, b) => a.index - b.index);
  const sizes = new Map<string, number>();
  const aged: AgedFile[] = [];
  for (const file of sorted) {
    const found = await ifExists(stat(join(folder, file.name)));
    if (!found) continue;
    sizes.set(file.name, found.size);
    aged.push({ ...file, changedMs: found.mtimeMs });
  }
  // Which -W the agent had then is not known. It is known where it matters: when index 0 came after the last one,
  // both stand until the last one is pruned.
  const wrapAfter = (sorted.at(-1)?.index ?? 0) + 1;
  return orderByAge(aged, wrapAfter).map(({ name }) => ({
    path: join(folder, name),
    bytes: sizes.get(name) ?? 0,
  }));
}

function sortKey({ namespace, pod, generations }: Recording): string {
  return [namespace, pod, newestRecord(generations)?.startTime ?? ''].join('\0');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
