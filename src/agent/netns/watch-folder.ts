import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Logger } from 'pino';

/** A watched folder. Disposing of it ends the watch, and waits for the handler that is running. */
export type FolderWatch = AsyncDisposable;

export type FolderWatchOptions = {
  readonly folder: string;
  /** How often the whole folder is read, whether or not inotify reports a change. */
  readonly resyncMs: number;
  readonly log: Logger;
  /** A file appeared, changed or was deleted. Handlers run one at a time. */
  readonly onName: (name: string) => Promise<void>;
  /** Read the whole folder: it is time for it, or events may have been missed. */
  readonly onResync: () => Promise<void>;
};

/**
 * Follows a folder by inotify and by a resync every `resyncMs`: a user has few inotify instances (128), and inotify
 * silently drops events when its queue overflows. Resolves after the first resync. A handler that throws is logged.
 */
export async function watchFolder(options: FolderWatchOptions): Promise<FolderWatch> {
  const { folder, resyncMs, log, onName, onResync } = options;
  let watcher: { readonly handle: FSWatcher; readonly identity: string } | undefined;
  let hasFailed = false;
  const queue = handlerQueue((error) => log.warn({ folder, err: error }, 'failed to read the folder'));
  const enqueueResync = () => queue.add('', resync);

  function detach() {
    watcher?.handle.close();
    watcher = undefined;
  }

  function onEvent(name: string | null) {
    // The folder itself was deleted or renamed: another one may have replaced it.
    if (name === basename(folder)) {
      detach();
      enqueueResync();
    }
    if (name !== null) queue.add(name, () => onName(name));
  }

  /** Watches the folder that exists now, if it is another one than before. */
  async function attach(): Promise<void> {
    const identity = await identityOf(folder);
    if (watcher?.identity === identity) return;
    detach();
    if (identity === undefined) return;
    try {
      const handle = watch(folder, (_event, name) => onEvent(name));
      handle.on('error', (error) => {
        log.warn({ folder, err: error }, 'lost the watch of the folder');
        detach();
      });
      watcher = { handle, identity };
      if (hasFailed) log.info({ folder }, 'watching the folder again');
      hasFailed = false;
    } catch (error) {
      if (!hasFailed) {
        const fields = { folder, err: error, resyncMs };
        log.warn(fields, 'failed to watch the folder, reading it periodically instead');
      }
      hasFailed = true;
    }
  }

  async function resync(): Promise<void> {
    await attach();
    await onResync();
  }

  enqueueResync();
  await queue.settled();
  const timer = setInterval(enqueueResync, resyncMs);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await queue.settled();
      detach();
    },
  };
}

/** Runs handlers one after the other. A key that is waiting is not added again: one write causes many events. */
function handlerQueue(onError: (error: unknown) => void) {
  const waiting = new Set<string>();
  let last = Promise.resolve();
  return {
    add(key: string, handler: () => Promise<void>): void {
      if (waiting.has(key)) return;
      waiting.add(key);
      last = last
        .then(() => {
          waiting.delete(key);
          return handler();
        })
        .catch(onError);
    },
    settled: () => last,
  };
}

/** Undefined if it does not exist. An inode number alone is not enough: ext4 reuses it for the next folder. */
async function identityOf(folder: string): Promise<string | undefined> {
  try {
    const { dev, ino, birthtimeNs } = await stat(folder, { bigint: true });
    return `${dev} ${ino} ${birthtimeNs}`;
  } catch {
    return undefined;
  }
}
