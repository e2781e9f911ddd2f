import { join } from 'node:path';
import { ifExists } from '../../../base/fs-errors.ts';
import { startedGenerations } from '../../storage/capture-records.ts';
import { frozenFolderName } from '../../storage/file-names.ts';
import { frozenNumbers } from '../../storage/frozen-rings.ts';
import { hasPodEnded } from '../../storage/pod-end.ts';
import { listRingFiles } from '../../storage/ring-files.ts';
import { orderByAge } from '../../storage/ring-order.ts';

/** A capture file of a recording, where it is now. */
export type ListedFile = {
  readonly path: string;
  readonly generation: number;
  readonly index: number;
  /** It has been set aside. */
  readonly isFrozen: boolean;
};

/** What a follower sees of a recording's folder. */
export type ListedRing = {
  /** In the ring's order, with those that have been set aside. */
  readonly files: readonly ListedFile[];
  readonly hasPodEnded: boolean;
};

/** Undefined if the folder has been deleted. */
export async function listRing(folder: string): Promise<ListedRing | undefined> {
  const isEnded = await hasPodEnded(folder);
  const own = await filesIn(folder, false);
  if (!own) return undefined;
  // A file that is set aside meanwhile moves into one of these: looked at afterwards, it is not missed.
  const frozen = await Promise.all(
    (await frozenNumbers(folder)).map((number) => filesIn(join(folder, frozenFolderName(number)), true)),
  );
  const byPlace = new Map(
    [...frozen.flatMap((files) => files ?? []), ...own].map((file) => [
      `${file.generation} ${file.index}`,
      file,
    ]),
  );
  const started = (await ifExists(startedGenerations(folder))) ?? new Set<number>();
  const named = [...byPlace.values()].map((file) => ({ ...file, name: file.path }));
  return { files: orderByAge(named, started), hasPodEnded: isEnded };
}

/** Undefined if there is no such folder. */
async function filesIn(folder: string, isFrozen: boolean): Promise<ListedFile[] | undefined> {
  const files = await ifExists(listRingFiles(folder));
  return files?.map(({ name, generation, index }) => ({
    path: join(folder, name),
    generation,
    index,
    isFrozen,
  }));
}
