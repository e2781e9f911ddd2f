import type { Socket } from 'node:net';

/**
 * Writes a line before HTTP/2 takes over the socket. Resolves when it has been written: if HTTP/2 begins while a write is
 * under way, Node.js aborts the process (Http2Session::OnStreamAfterWrite). Rejects if the socket is closed before.
 */
export async function writeLine(socket: Socket, object: object): Promise<void> {
  const written = Promise.withResolvers<void>();
  socket.write(`${JSON.stringify(object)}\n`, (error) => {
    if (error) written.reject(error);
    else written.resolve();
  });
  await written.promise;
}
