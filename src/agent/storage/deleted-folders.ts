import { readdir } from 'node:fs/promises';
import { ifExists } from '../../base/fs-errors.ts';
import { every } from '../../base/timers.ts';

/** Tells when somebody takes a folder of `root` away: by one look for all of them, however many are captured into. */
export type DeletedFolders = {
  /** Calls `onGone` once, when that folder is not there any more, until it is disposed of. */
  readonly watch: (name: string, onGone: () => void) => Disposable;
};

const lookEveryMs = 1_500;

export function watchDeletedFolders(
  root: string,
  {
    everyMs = lookEveryMs,
    onError,
  }: { readonly everyMs?: number; readonly onError: (error: unknown) => void },
): DeletedFolders {
  type Watch = { readonly name: string; readonly onGone: () => void };
  const watches = new Set<Watch>();
  let looking: Disposable | undefined;

  async function look(): Promise<void> {
    // One that comes while the names are read may be of a folder that was made meanwhile.
    const asked = [...watches];
    const there = new Set(await ifExists(readdir(root)));
    for (const watch of asked) if (!there.has(watch.name) && watches.delete(watch)) watch.onGone();
  }

  function stopWhenIdle(): void {
    if (watches.size > 0) return;
    looking?.[Symbol.dispose]();
    looking = undefined;
  }

  return {
    watch(name, onGone) {
      const watch = { name, onGone };
      watches.add(watch);
      looking ??= every(everyMs, look, onError);
      return {
        [Symbol.dispose]() {
          watches.delete(watch);
          stopWhenIdle();
        },
      };
    },
  };
}
