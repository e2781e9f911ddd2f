import type { Server, Socket } from 'node:net';

/** A listener whose clients can use up neither its connections nor another client's. */
export type BoundedServer = AsyncDisposable & {
  /** Listens on every address of the machine. Returns the port, a free one for 0. Throws if the port is taken. */
  readonly listen: (port: number) => Promise<number>;
  /** Every connection from its first byte on: the list of a TLS server has only those whose handshake is over. */
  readonly disconnectAll: () => void;
};

export type ConnectionBounds = {
  /** The most that are open at the same time. */
  readonly connections: number;
  /** The most of them that come from one address. */
  readonly perAddress: number;
  /** How long one may be open, whatever its client does: send slowly, send nothing, or not read its answer. */
  readonly lifetimeMs: number;
};

/**
 * Bounds the connections of a server, of any protocol over TCP. A new connection is always accepted, and another one
 * is closed for it: a client that waits for nothing but its own answer, as the kubelet does, is served at once.
 */
export function boundedServer(server: Server, bounds: ConnectionBounds): BoundedServer {
  /** Oldest first. */
  const open = new Map<Socket, string>();
  const disconnectAll = () => {
    for (const socket of open.keys()) socket.destroy();
  };
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const closed = connectionToClose(open, address, bounds);
    if (closed) {
      // Its own event comes later.
      open.delete(closed);
      closed.destroy();
    }
    open.set(socket, address);
    const lifetime = setTimeout(() => socket.destroy(), bounds.lifetimeMs);
    socket.once('close', () => {
      clearTimeout(lifetime);
      open.delete(socket);
    });
  });
  return {
    listen: (port) => listen(server, port),
    disconnectAll,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      disconnectAll();
      await closed;
    },
  };
}

/**
 * Which open connection has to make way for a new one from that address. The oldest from the same address, if it has all
 * that an address may have. Otherwise, if there are as many as there may be, the oldest from the address that has most:
 * its own if it has as many.
 */
export function connectionToClose<Connection>(
  /** The address of each, oldest first. */
  open: ReadonlyMap<Connection, string>,
  address: string,
  { connections, perAddress }: Pick<ConnectionBounds, 'connections' | 'perAddress'>,
): Connection | undefined {
  const byAddress = Map.groupBy(open.keys(), (connection) => open.get(connection));
  const own = byAddress.get(address) ?? [];
  if (own.length >= perAddress) return own[0];
  if (open.size < connections) return undefined;
  // Of several addresses that have as many, the first: its oldest connection is the oldest.
  return [...byAddress.values()].reduce((most, each) => (each.length > most.length ? each : most), own)[0];
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    // Stays registered: without a listener, an error while a connection is accepted later would end the process.
    server.on('error', reject);
    server.listen(port, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address ? address.port : port;
}
