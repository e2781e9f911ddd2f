import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * Makes sure that only one process of this machine does something at a time. Returns undefined if another process has
 * the lock; `describeHolder` returns the `holder` that it gave. The lock is released when the result is disposed of.
 *
 * The lock is an abstract Unix socket (unix(7)): at most one process can listen on it, and the kernel releases it when
 * that process ends, however it ends.
 */
export async function lock(name: string, holder: string): Promise<AsyncDisposable | undefined> {
  const server = createServer((connection) => connection.end(holder));
  const isAcquired = await new Promise<boolean>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(`\0${name}`, () => resolve(true));
  });
  if (!isAcquired) return undefined;
  return {
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** The `holder` of the process that has the lock. */
export async function describeHolder(name: string): Promise<string> {
  try {
    return await text(connect(`\0${name}`));
  } catch {
    return 'a command that has just ended';
  }
}
