import { constants, open as openFile, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { promisify } from 'node:util';
import { hasCode } from '../base/fs-errors.ts';

/** What is no regular file, and is written as it is. */
export type DirectOutput =
  /** Written when there is space in it: nothing of the program waits in write(2), which no signal could end. */
  | { readonly kind: 'pipe'; readonly pipe: Socket }
  | { readonly kind: 'device'; readonly handle: FileHandle }
  | { readonly kind: 'terminal' };

export type DirectOutputOptions = {
  /** Ends the wait for the reader of a pipe. */
  readonly signal?: AbortSignal;
  /** Called once, when such a wait begins. */
  readonly onWaiting?: () => void;
};

/**
 * Opens a pipe or a device, by the path that was given: that of a pipe without a name leads to nothing. Throws the errors
 * of open(2), and the signal's reason.
 */
export async function openDirectOutput(
  path: string,
  stats: Stats,
  options: DirectOutputOptions = {},
): Promise<DirectOutput> {
  if (stats.isFIFO()) {
    const fd = await openPipe(path, options);
    return { kind: 'pipe', pipe: new Socket({ fd, readable: false, writable: true }) };
  }
  const handle = await open(path, 'w');
  if (!isatty(handle.fd)) return { kind: 'device', handle };
  await handle.close();
  return { kind: 'terminal' };
}

const readerEveryMs = 100;

/** open(2) itself would wait for the reader in a thread, and the process could not end before that. */
async function openPipe(path: string, { signal, onWaiting }: DirectOutputOptions): Promise<number> {
  for (let tries = 0; ; tries += 1) {
    signal?.throwIfAborted();
    try {
      return await promisify(openFile)(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (!hasCode(error, 'ENXIO')) throw error;
    }
    if (tries === 0) onWaiting?.();
    // What ends it is thrown above.
    await sleep(readerEveryMs, undefined, { signal }).catch(() => {});
  }
}
