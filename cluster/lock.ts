import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * Makes sure that one command at a time does something on this machine. Gives undefined if another one is at it;
 * `describeHolder` says who.
 *
 * The lock is an abstract Unix socket (unix(7)): at most one process has it, and the kernel lets go of it at that
 * one's end, however it ends.
 */
export async function lock(name: string, who: string): Promise<AsyncDisposable | undefined> {
  const server = createServer((connection) => connection.end(who));
  const held = await new Promise<boolean>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(`\0${name}`, () => resolve(true));
  });
  if (!held) return undefined;
  return {
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

export async function describeHolder(name: string): Promise<string> {
  try {
    return await text(connect(`\0${name}`));
  } catch {
    return 'a command that has just ended';
  }
}
