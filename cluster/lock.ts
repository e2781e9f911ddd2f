import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';

/** An abstract Unix socket (unix(7)): at most one process has it, and the kernel lets go of it at that one's end. */
const socketName = '\0podcap-cluster';

/**
 * Makes sure that one command at a time changes the cluster of this machine. Gives undefined if another one is at
 * work; `describeHolder` says who.
 */
export async function lock(who: string): Promise<AsyncDisposable | undefined> {
  const server = createServer((connection) => connection.end(who));
  const held = await new Promise<boolean>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(socketName, () => resolve(true));
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

export async function describeHolder(): Promise<string> {
  try {
    return await text(connect(socketName));
  } catch {
    return 'a command that has just ended';
  }
}
