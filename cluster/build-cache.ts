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

/** Something that was made once and is kept under the hash of all that it was made from. */
export type CacheEntry = {
  readonly kind: 'bin' | 'images';
  readonly name: string;
  readonly madeFrom: readonly string[];
};

const unusedDays = 30;

/** Where an entry stands, whether it was made or not. Its last 16 digits change with each of its ingredients. */
export function entryFolder(cache: string, { kind, name, madeFrom }: CacheEntry): string {
  const hash = createHash('sha256');
  for (const ingredient of madeFrom) hash.update(`${ingredient.length}:${ingredient}`);
  return join(cache, kind, `${name}-${hash.digest('hex').slice(0, 16)}`);
}

/**
 * Gives an entry's folder, made by `make` if it is not there. Complete or absent: it is made aside and renamed, so
 * that neither a kill nor a second user at the same time leaves half of one.
 */
export async function cached(
  cache: string,
  entry: CacheEntry,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = entryFolder(cache, entry);
  if (!existsSync(folder)) {
    mkdirSync(dirname(folder), { recursive: true });
    const aside = mkdtempSync(`${folder}.new-`);
    try {
      await make(aside);
      if (!existsSync(folder)) renameSync(aside, folder);
    } finally {
      rmSync(aside, { recursive: true, force: true });
    }
  }
  const now = new Date();
  utimesSync(folder, now, now);
  return folder;
}

/** Deletes what has not been used for a month, and what a killed `make` left. */
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

export function isStale(name: string, unusedMs: number): boolean {
  const days = unusedMs / 86_400_000;
  return name.includes('.new-') ? days > 1 : days > unusedDays;
}
