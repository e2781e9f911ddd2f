import { readdir } from 'node:fs/promises';
import { ifExists } from '../../base/fs-errors.ts';
import { every } from '../../base/timers.ts';

/** Notices when somebody deletes a folder in `root`: one check serves all of them, however many captures there are. */
export type DeletedFolders = {
  /** Calls back once when that folder does not exist any more; not after it is disposed of. */
  readonly watch: (name: string, onDeleted: () => void) => Disposable;
};

type DeletedFoldersOptions = { readonly everyMs?: number; readonly onError: (error: unknown) => void };

type Watch = { readonly name: string; readonly onDeleted: () => void };

const checkEveryMs = 1_500;

/** Checks only while a folder is watched. `onError` receives what readdir(2) says of `root`. */
export function watchDeletedFolders(
  root: string,
  { everyMs = checkEveryMs, onError }: DeletedFoldersOptions,
): DeletedFolders {
  const watches = new Set<Watch>();
  let timer: Disposable | undefined;

  async function check(): Promise<void> {
    // A watch that is added during readdir() may be of a folder made since.
    const checked = [...watches];
    const names = new Set(await ifExists(readdir(root)));
    for (const watch of checked) if (!names.has(watch.name) && watches.delete(watch)) watch.onDeleted();
  }

  function stopWhenIdle(): void {
    if (watches.size > 0) return;
    timer?.[Symbol.dispose]();
    timer = undefined;
  }

  return {
    watch(name, onDeleted) {
      const watch = { name, onDeleted };
      watches.add(watch);
      timer ??= every(everyMs, check, onError);
      return {
        [Symbol.dispose]() {
          watches.delete(watch);
          stopWhenIdle();
        },
      };
    },
  };
}
