import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** How many threads libuv has, unless UV_THREADPOOL_SIZE is set. */
const threads = 4;

/**
 * Blocks all threads in which Node accesses files: each opens a named pipe in the folder, which nobody writes to. Once
 * it is disposed of, they run again.
 */
export function blockThreads(folder: string): AsyncDisposable {
  const pipes = Array.from({ length: threads }, (_, index) => join(folder, `pipe${index}`));
  execFileSync('mkfifo', pipes);
  const opened = pipes.map((pipe) => open(pipe));
  return {
    async [Symbol.asyncDispose]() {
      // Opened for both, a pipe waits for nobody, and who waits for a writer has one.
      const writers = pipes.map((pipe) => openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK));
      for (const handle of await Promise.all(opened)) await handle.close();
      for (const writer of writers) closeSync(writer);
    },
  };
}
