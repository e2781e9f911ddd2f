import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { listenOnLoopback } from '../../../testbed/loopback-port.ts';

/** Forwards TCP connections to a port until it is told to drop every byte, like a network that drops packets. */
export type StallingProxy = AsyncDisposable & { readonly port: number; readonly stall: () => void };

export async function stallingProxy(target: number): Promise<StallingProxy> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const onward = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  });
  return {
    port: await listenOnLoopback(server),
    stall() {
      for (const socket of sockets) socket.unpipe().resume();
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
