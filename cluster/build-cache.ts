import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Something that is made once and kept under the hash of everything that it was made from. */
export type CacheEntry = {
  readonly kind: 'bin' | 'images';
  readonly name: string;
  readonly madeFrom: readonly string[];
};

const unusedDays = 30;

/** The folder of an entry, made or not. The last 16 digits of its name change with every ingredient. */
export function entryFolder(cache: string, { kind, name, madeFrom }: CacheEntry): string {
  const hash = createHash('sha256');
  for (const ingredient of madeFrom) hash.update(`${ingredient.length}:${ingredient}`);
  return join(cache, kind, `${name}-${hash.digest('hex').slice(0, 16)}`);
}

/**
 * Returns an entry's folder, and calls `make` to fill it if it does not exist. The folder is complete or absent: it is
 * filled under a temporary name and renamed, so that neither a kill nor a second user at the same time leaves half of
 * an entry.
 */
export async function cached(
  cache: string,
  entry: CacheEntry,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = entryFolder(cache, entry);
  if (!existsSync(folder)) {
    mkdirSync(dirname(folder), { recursive: true });
    const temporary = mkdtempSync(`${folder}.new-`);
    try {
      await make(temporary);
      if (!existsSync(folder)) renameSync(temporary, folder);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
  const now = new Date();
  utimesSync(folder, now, now);
  return folder;
}

/** Deletes the entries that were not used for a month, and what a killed `make` left behind. */
export function pruneCache(cache: string, now: Date = new Date()): void {
  for (const kind of ['bin', 'images']) {
    const folder = join(cache, kind);
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (isStale(name, now.getTime() - statSync(path).mtimeMs))
        rmSync(path, { recursive: true, force: true });
    }
  }
}

/** Whether an entry, or a temporary folder that was never renamed, is old enough to be deleted. */
function isStale(name: string, unusedMs: number): boolean {
  const days = unusedMs / 86_400_000;
  return name.includes('.new-') ? days > 1 : days > unusedDays;
}
