import type { Socket } from 'node:net';
import { connectionToClose } from '../../base/bounded-server.ts';
import { lruCache } from '../../base/lru-cache.ts';
import { type RateLimiter, type RateLimits, rateLimiter } from '../../base/rate-limiter.ts';

export type AdmissionBounds = {
  /** Connections that have not said who they are, all together and of one address. */
  readonly connections: number;
  readonly perAddress: number;
  /** How long a connection may take to say it and be answered. */
  readonly handshakeMs: number;
  /** New connections of one address. */
  readonly rate: RateLimits;
};

/** A Pod or Node has one agent; several replicas of a proxy can share an address. */
export const defaultAdmission: AdmissionBounds = {
  connections: 512,
  perAddress: 32,
  handshakeMs: 10_000,
  rate: { burst: 64, everyMs: 100 },
};

/** Bounds the connections of which it is not yet known who has opened them. */
export type LinkAdmission = {
  /** Closes this one, or an older one, if there are too many. */
  readonly arrive: (socket: Socket) => void;
  /** The connection is one of an agent: it does not count any more, and its address is known from now on. */
  readonly identified: (key: string) => void;
  readonly disconnectAll: () => void;
};

/** Names a connection, which has two sockets: that of TLS and that below it. */
export function connectionKey({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

const knownAddresses = 8_192;
const limitedAddresses = 4_096;

/**
 * An admission in which a flood costs neither another address its connection, nor an address of an agent: as in
 * base/bounded-server.ts, a new connection is always accepted, and closes one of the address that has most; those of
 * agents' addresses are closed last.
 */
export function linkAdmission(bounds: AdmissionBounds): LinkAdmission {
  /** Oldest first. */
  const open = new Map<Socket, string>();
  const byKey = new Map<string, { readonly address: string; readonly leave: () => void }>();
  const known = lruCache<true>(knownAddresses);
  const limiters = lruCache<RateLimiter>(limitedAddresses);

  function isTooFast(address: string): boolean {
    const limiter = limiters.get(address) ?? rateLimiter(bounds.rate);
    limiters.set(address, limiter);
    if (limiter.waitMs() > 0) return true;
    limiter.take();
    return false;
  }

  function makeWay(address: string): void {
    const isFull = open.size >= bounds.connections;
    const strangers = new Map([...open].filter(([, each]) => each === address || !known.get(each)));
    const candidates = isFull && strangers.size > 0 ? strangers : open;
    const connections = isFull ? 0 : bounds.connections;
    const closed = connectionToClose(candidates, address, { connections, perAddress: bounds.perAddress });
    closed?.destroy();
    // Its own event comes later.
    if (closed) open.delete(closed);
  }

  return {
    arrive(socket) {
      const address = socket.remoteAddress ?? '';
      // Before TLS, which costs a millisecond.
      if (isTooFast(address)) {
        socket.destroy();
        return;
      }
      makeWay(address);
      const key = connectionKey(socket);
      const timer = setTimeout(() => socket.destroy(), bounds.handshakeMs);
      const leave = () => {
        clearTimeout(timer);
        open.delete(socket);
        byKey.delete(key);
      };
      open.set(socket, address);
      byKey.set(key, { address, leave });
      socket.once('close', leave);
    },
    identified(key) {
      const entry = byKey.get(key);
      if (entry) known.set(entry.address, true);
      entry?.leave();
    },
    disconnectAll() {
      for (const socket of open.keys()) socket.destroy();
    },
  };
}
