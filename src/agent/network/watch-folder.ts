import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Logger } from 'pino';

/** A folder under watch; disposing it ends the watch and waits for what is being handled. */
export type FolderWatch = AsyncDisposable;

export type FolderWatchOptions = {
  readonly folder: string;
  /** How often the whole folder is looked at, whatever inotify says. */
  readonly rescanMs: number;
  readonly log: Logger;
  /** A name in the folder appeared, changed or went. Never runs twice at a time. */
  readonly onName: (name: string) => Promise<void>;
  /** Look at everything: now and then, and when events may have been missed. */
  readonly onRescan: () => Promise<void>;
};

/**
 * Follows a folder by inotify, and by looking again every `rescanMs`: inotify has few instances (128 for all of a
 * user), drops events when its queue overflows, and says nothing when the folder itself is replaced.
 */
export function watchFolder(options: FolderWatchOptions): FolderWatch {
  const { folder, rescanMs, log, onName, onRescan } = options;
  let watcher: { readonly handle: FSWatcher; readonly inode: number } | undefined;
  let queue = Promise.resolve();

  const enqueue = (work: () => Promise<void>) => {
    queue = queue
      .then(work)
      .catch((error: unknown) => log.warn({ folder, err: error }, 'folder not readable'));
  };

  function drop() {
    watcher?.handle.close();
    watcher = undefined;
  }

  async function attach(): Promise<void> {
    const inode = await inodeOf(folder);
    if (watcher?.inode === inode) return;
    drop();
    if (inode === undefined) return;
    try {
      const handle = watch(folder, (_event, name) => {
        if (name !== null) enqueue(() => onName(name));
      });
      handle.on('error', (error) => {
        log.warn({ folder, err: error }, 'folder watch lost');
        drop();
      });
      watcher = { handle, inode };
    } catch (error) {
      log.warn({ folder, err: error }, 'folder cannot be watched, looking at it now and then instead');
    }
  }

  const rescan = async () => {
    await attach();
    await onRescan();
  };

  enqueue(rescan);
  const timer = setInterval(() => enqueue(rescan), rescanMs);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await queue;
      drop();
    },
  };
}

async function inodeOf(folder: string): Promise<number | undefined> {
  try {
    return (await stat(folder)).ino;
  } catch {
    return undefined;
  }
}
