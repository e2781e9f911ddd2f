import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import { ifExists } from '../../base/fs-errors.ts';
import { podInterface } from '../../kubernetes/pod.ts';
import { type CniEntry, parseCniEntry } from './cni-entry.ts';
import { watchFolder } from './watch-folder.ts';

/** The entries of the Pods of this Node in libcni's cache, kept up with. */
export type CniCache = AsyncDisposable & {
  /** The one that was seen last comes first: a file's time can lie in the future, or go back with the clock. */
  readonly entries: () => readonly CniEntry[];
};

export type CniCacheOptions = {
  /** libcni's cache of results, /var/lib/cni/results on the Node. */
  readonly resultsFolder: string;
  /** Where the runtime mounts network namespaces, /run/netns on the Node. */
  readonly netnsFolder: string;
  /** Look at the whole folder this often: inotify drops events when its queue overflows. */
  readonly resyncMs: number;
  /** An entry of that Pod came, changed or went. */
  readonly onChange: (podUid: string) => void;
  readonly log: Logger;
};

/** One file of the cache; `entry` is undefined while it is half written, cut or not a Pod's. */
type CachedFile = {
  readonly version: string;
  readonly changedNs: bigint;
  readonly entry: CniEntry | undefined;
};

/** Entries have 2 kB. */
const maxEntryBytes = 1_048_576;
/** So many files are looked at before others may work: 2 ms. */
const sliceFiles = 200;

/** Resolves when the cache was read once. */
export async function followCniCache(options: CniCacheOptions): Promise<CniCache> {
  const { resultsFolder, log } = options;
  // In the order in which they were seen.
  const files = new Map<string, CachedFile>();

  const tell = (file: CachedFile | undefined) => {
    if (file?.entry) options.onChange(file.entry.pod.uid);
  };

  function take(name: string, after: CachedFile | undefined): void {
    const before = files.get(name);
    if (after === before) return;
    files.delete(name);
    if (after) files.set(name, after);
    tell(before);
    tell(after);
  }

  function look(name: string): CachedFile | undefined {
    const before = files.get(name);
    try {
      return readCached(join(resultsFolder, name), before, options);
    } catch (error) {
      // No descriptors, a disk that fails: that says nothing of the Pod.
      log.warn({ file: name, err: error }, 'CNI cache entry not readable');
      return before;
    }
  }

  async function lookAtAll(): Promise<void> {
    const there = (await namesIn(resultsFolder)).filter(isPodResult);
    const names = [...new Set([...there, ...files.keys()])];
    const looked: { readonly name: string; readonly file: CachedFile | undefined }[] = [];
    for (let start = 0; start < names.length; start += sliceFiles) {
      for (const name of names.slice(start, start + sliceFiles)) looked.push({ name, file: look(name) });
      await setImmediate();
    }
    // What is seen at the same time has only its own time.
    looked.sort((a, b) => Number((a.file?.changedNs ?? 0n) - (b.file?.changedNs ?? 0n)));
    for (const { name, file } of looked) take(name, file);
  }

  const watching = await watchFolder({
    folder: resultsFolder,
    resyncMs: options.resyncMs,
    log,
    onName: async (name) => {
      if (isPodResult(name)) take(name, look(name));
    },
    onResync: lookAtAll,
  });
  return {
    entries: () => [...files.values()].flatMap(({ entry }) => entry ?? []).toReversed(),
    [Symbol.asyncDispose]: () => watching[Symbol.asyncDispose](),
  };
}

/**
 * `<network>-<sandbox>-<interface>`: others are additional networks. CRI-O leaves a loopback entry for every Pod,
 * thousands of them.
 */
function isPodResult(name: string): boolean {
  return name.endsWith(`-${podInterface}`);
}

/** A Node without any Pod network yet has no such folder. */
async function namesIn(folder: string): Promise<string[]> {
  return (await ifExists(readdir(folder))) ?? [];
}

/**
 * The file as it is now: `before` itself if it did not change, undefined if it is gone. Not by promises: with 10,000
 * entries, as Nodes of some years have, they take 3.5 s to read and 0.7 s to look at again, this 0.3 s and 0.05 s
 * (measured).
 */
function readCached(
  path: string,
  before: CachedFile | undefined,
  { netnsFolder }: CniCacheOptions,
): CachedFile | undefined {
  const file = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (!file) return undefined;
  const version = `${file.ino} ${file.mtimeNs} ${file.ctimeNs} ${file.size}`;
  if (before?.version === version) return before;
  const text = file.isFile() ? readPlainFile(path) : undefined;
  const entry = text === undefined ? undefined : parseCniEntry(text, netnsFolder);
  return { version, changedNs: file.mtimeNs, entry };
}

/** Undefined for what is none, or too long: a link is not followed, and a pipe not waited for. */
function readPlainFile(path: string): string | undefined {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const descriptor = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const file = fstatSync(descriptor);
    return file.isFile() && file.size <= maxEntryBytes ? readFileSync(descriptor, 'utf8') : undefined;
  } finally {
    closeSync(descriptor);
  }
}
