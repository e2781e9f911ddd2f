import type { Server, Socket } from 'node:net';
import { connectionToClose } from '../../base/bounded-server.ts';

/** The connections of the API, among which those of the API server come first. */
export type ApiConnections = {
  /** The connection is the API server's: it is kept from now on. False: it has as many as it may have. */
  readonly keep: (socket: Socket) => boolean;
  /**
   * Closes the connection at once, with a reset. After a FIN, what a client has not read yet would come first, and if the
   * network of this Pod is gone by then, neither would: kube-apiserver notices that after minutes.
   */
  readonly reset: (socket: Socket) => void;
  /** Resets all that are open. */
  readonly resetAll: () => void;
};

export type ApiConnectionBounds = {
  /** Of anyone: until a request shows that it is the API server's, a connection is anyone's. */
  readonly unknown: number;
  /** For this long, none is closed for another: after a restart, the API server opens all of its connections at once. */
  readonly youngMs: number;
  /** The most of anyone, however young. */
  readonly unknownAtOnce: number;
  /** How long such a connection may be open, whatever is sent or not sent over it. */
  readonly unknownMs: number;
  /** Of the API server, which uses one for each request, watch and stream that is open. */
  readonly kept: number;
};

export const defaultApiConnectionBounds: ApiConnectionBounds = {
  unknown: 256,
  youngMs: 3_000,
  unknownAtOnce: 4_096,
  unknownMs: 30_000,
  kept: 4_096,
};

/**
 * Bounds the connections of the API's server, so that nobody who can reach its port keeps the API server from it: a new
 * connection closes another one whose client is unknown, of the address that has most, and never one of the API server.
 */
export function apiConnections(server: Server, bounds: ApiConnectionBounds): ApiConnections {
  /** Those whose client is unknown, oldest first. */
  const unknown = new Map<Socket, UnknownClient>();
  /** A TLS socket does not say over which connection it goes: its ends do. */
  const byEnds = new Map<string, Socket>();
  const kept = new Set<Socket>();

  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const ends = endsOf(socket);
    const toClose = strangerToClose(unknown, address, bounds);
    if (toClose) {
      unknown.delete(toClose);
      toClose.destroy();
    }
    unknown.set(socket, { address, sinceMs: performance.now() });
    byEnds.set(ends, socket);
    const lifetime = setTimeout(() => {
      if (unknown.has(socket)) socket.destroy();
    }, bounds.unknownMs);
    socket.once('close', () => {
      clearTimeout(lifetime);
      unknown.delete(socket);
      kept.delete(socket);
      if (byEnds.get(ends) === socket) byEnds.delete(ends);
    });
  });

  return {
    keep(secured) {
      const socket = byEnds.get(endsOf(secured));
      if (!socket || kept.has(socket)) return true;
      if (kept.size >= bounds.kept) return false;
      unknown.delete(socket);
      kept.add(socket);
      return true;
    },
    reset(secured) {
      byEnds.get(endsOf(secured))?.resetAndDestroy();

      secured.destroy();
    },
    resetAll() {
      for (const socket of byEnds.values()) socket.resetAndDestroy();
    },
  };
}

type UnknownClient = { readonly address: string; readonly sinceMs: number };

/** Which of them has to make way for a new one from that address. */
function strangerToClose(
  unknown: ReadonlyMap<Socket, UnknownClient>,
  address: string,
  bounds: ApiConnectionBounds,
): Socket | undefined {
  if (unknown.size < bounds.unknown) return undefined;
  const isAnyAge = unknown.size >= bounds.unknownAtOnce;
  const youngSinceMs = performance.now() - bounds.youngMs;
  const candidates = new Map<Socket, string>();
  for (const [socket, { address: of, sinceMs }] of unknown) {
    if (isAnyAge || sinceMs <= youngSinceMs) candidates.set(socket, of);
  }
  return connectionToClose(candidates, address, {
    connections: candidates.size,
    perAddress: bounds.unknownAtOnce,
  });
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress}|${remotePort}|${localAddress}|${localPort}`;
}
