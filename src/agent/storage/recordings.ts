import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { folderName, type PodFolder, parseFolderName } from './file-names.ts';
import { readFreezeLog } from './freeze-records.ts';
import { type FrozenRing, readFrozenRings } from './frozen-rings.ts';
import { hasPodEnded } from './pod-end.ts';
import { newestRecord, type RecordingGeneration, readGenerations } from './recorded-generations.ts';

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
  /** Oldest first, with one that is still being frozen. */
  readonly frozen: readonly FrozenRecording[];
  /** How many times since the newest one nothing was frozen although something happened that freezes. */
  readonly notFrozen: number;
};

/** A frozen ring and what it has. */
export type FrozenRecording = FrozenRing & { readonly generations: readonly RecordingGeneration[] };

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

/** The recording of the Pod with that UID; undefined if nothing is recorded of it. Throws what readdir(2) says. */
export async function findRecording(capturesFolder: string, uid: string): Promise<Recording | undefined> {
  for (const entry of await readdir(capturesFolder, { withFileTypes: true })) {
    const named = entry.isDirectory() ? parseFolderName(entry.name) : undefined;
    if (named?.uid === uid) return await readRecording(join(capturesFolder, entry.name), named);
  }
  return undefined;
}

/** The recording in a Pod's folder; undefined if the folder has been deleted meanwhile. */
export async function readRecording(folder: string, named: PodFolder): Promise<Recording | undefined> {
  const read = await readGenerations(folder);
  if (!read) return undefined;
  const generations = ofPod(named, read);
  const rings = await readFrozenRings(folder);
  const frozen = await Promise.all(
    rings.map(async (ring) => ({
      ...ring,
      generations: ofPod(named, (await readGenerations(ring.folder)) ?? []),
    })),
  );
  const record = newestRecord(generations);
  // A long name is cut in the folder's name, but not in the record.
  return {
    folder,
    ...named,
    pod: record?.pod ?? named.pod,
    hasPodEnded: await hasPodEnded(folder),
    generations,
    frozen,
    notFrozen: (await readFreezeLog(folder))?.notFrozen ?? 0,
  };
}

/** A record that was copied or linked from another Pod's folder is no record of this one. */
function ofPod(named: PodFolder, generations: readonly RecordingGeneration[]): RecordingGeneration[] {
  return generations.map(({ record, ...generation }) => ({
    ...generation,
    record: record && folderName(record) === folderName(named) ? record : undefined,
  }));
}

function sortKey({ namespace, pod, generations }: Recording): string {
  return [namespace, pod, newestRecord(generations)?.startTime ?? ''].join('\0');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
