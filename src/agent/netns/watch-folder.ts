import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Logger } from 'pino';

/** A folder under watch; disposing it ends the watch and waits for what is being handled. */
export type FolderWatch = AsyncDisposable;

export type FolderWatchOptions = {
  readonly folder: string;
  /** How often the whole folder is looked at, whatever inotify says. */
  readonly resyncMs: number;
  readonly log: Logger;
  /** A name in the folder appeared, changed or went. Never runs twice at a time. */
  readonly onName: (name: string) => Promise<void>;
  /** Look at everything: now and then, and when events may have been missed. */
  readonly onResync: () => Promise<void>;
};

/**
 * Follows a folder by inotify, and by looking again every `resyncMs`: inotify has few instances (128 for all of a
 * user), and drops events without a word when its queue overflows. Resolves when the folder was looked at once.
 */
export async function watchFolder(options: FolderWatchOptions): Promise<FolderWatch> {
  const { folder, resyncMs, log, onName, onResync } = options;
  let watcher: { readonly handle: FSWatcher; readonly identity: string } | undefined;
  let isUnwatched = false;
  let queue = Promise.resolve();
  /** What waits in the queue: a file that is written has many events, and is looked at once. */
  const waiting = new Set<string>();

  const enqueue = (key: string, work: () => Promise<void>) => {
    if (waiting.has(key)) return;
    waiting.add(key);
    queue = queue
      .then(() => {
        waiting.delete(key);
        return work();
      })
      .catch((error: unknown) => log.warn({ folder, err: error }, 'folder not readable'));
  };
  const enqueueRescan = () => enqueue('', rescan);

  function drop() {
    watcher?.handle.close();
    watcher = undefined;
  }

  function onEvent(name: string | null) {
    // The folder itself was removed or renamed: another may stand in its place.
    if (name === basename(folder)) {
      drop();
      enqueueRescan();
    }
    if (name !== null) enqueue(name, () => onName(name));
  }

  async function attach(): Promise<void> {
    const identity = await identityOf(folder);
    if (watcher?.identity === identity) return;
    drop();
    if (identity === undefined) return;
    try {
      const handle = watch(folder, (_event, name) => onEvent(name));
      handle.on('error', (error) => {
        log.warn({ folder, err: error }, 'folder watch lost');
        drop();
      });
      watcher = { handle, identity };
      if (isUnwatched) log.info({ folder }, 'folder is watched again');
      isUnwatched = false;
    } catch (error) {
      if (!isUnwatched) {
        log.warn(
          { folder, err: error, resyncMs },
          'folder cannot be watched, looking at it now and then instead',
        );
      }
      isUnwatched = true;
    }
  }

  async function rescan(): Promise<void> {
    await attach();
    await onResync();
  }

  enqueueRescan();
  await queue;
  const timer = setInterval(enqueueRescan, resyncMs);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await queue;
      drop();
    },
  };
}

/** The inode's number alone is used again at once by the next folder (ext4). */
async function identityOf(folder: string): Promise<string | undefined> {
  try {
    const { dev, ino, birthtimeNs } = await stat(folder, { bigint: true });
    return `${dev} ${ino} ${birthtimeNs}`;
  } catch {
    return undefined;
  }
}
