import { readFile, realpath } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { ifExists } from '../../base/fs-errors.ts';
import { every } from '../../base/timers.ts';
import { listen, serveRoutes } from './http-routes.ts';

/** /metrics over TLS, for those alone who show a certificate of the authority that the folder names. */
export type SecureMetrics = AsyncDisposable & { readonly port: number };

export type SecureMetricsOptions = {
  readonly port: number;
  /** With tls.crt, tls.key and ca.crt, in PEM: as a mounted Secret of cert-manager has them. */
  readonly folder: string;
  /** How often the folder is read: the kubelet brings a changed Secret within a minute or so. */
  readonly rereadMs: number;
  readonly metrics: () => string;
  readonly log: Logger;
};

/**
 * Serves until it is disposed of. A folder that cannot be read, or whose files do not fit together, leaves what was in
 * use, and at the start nobody is let in: captures do not wait for a certificate.
 */
export async function serveSecureMetrics(options: SecureMetricsOptions): Promise<SecureMetrics> {
  const { folder, rereadMs, metrics, log } = options;
  const server = createServer(
    { requestCert: true, rejectUnauthorized: true, minVersion, handshakeTimeout },
    serveRoutes({ '/metrics': () => ({ status: 200, body: metrics() }) }),
  );
  const sockets = openSockets();
  server.on('connection', sockets.add);
  let seen = '';
  let told = '';

  async function reread(): Promise<void> {
    const files = await readFiles(folder);
    const now = JSON.stringify(files);
    if (now === seen) return;
    seen = now;
    server.setSecureContext({ ...files, minVersion });
    // Whoever came in by what was there before, or is about to, must come again.
    sockets.destroyAll();
    told = '';
    log.info({ folder }, 'certificates read');
  }

  // Once for each reason, not every few seconds.
  const failed = (error: unknown) => {
    if (String(error) !== told) log.warn({ err: error, folder }, 'certificates not read');
    told = String(error);
  };
  await reread().catch(failed);
  const port = await listen(server, options.port);
  const rereading = every(rereadMs, reread, failed);
  return {
    port,
    async [Symbol.asyncDispose]() {
      rereading[Symbol.dispose]();
      sockets.destroyAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// Go speaks it since 1.13, and Prometheus with it: nothing older needs to be let in.
const minVersion = 'TLSv1.3';
/** In milliseconds: who has not shown a certificate holds a connection no longer. */
const handshakeTimeout = 10_000;

/** The kubelet changes all files of a Secret at once, by a link to another folder: none is read from the next one. */
async function readFiles(folder: string): Promise<{ cert: string; key: string; ca: string }> {
  const linked = (await ifExists(realpath(join(folder, '..data')))) ?? folder;
  const read = (name: string) => readFile(join(linked, name), 'utf8');
  return { cert: await read('tls.crt'), key: await read('tls.key'), ca: await read('ca.crt') };
}

/** Each connection from its first byte on: what http knows of are those alone whose handshake is over. */
function openSockets() {
  const open = new Set<Socket>();
  return {
    add(this: void, socket: Socket): void {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    },
    destroyAll(): void {
      for (const socket of open) socket.destroy();
    },
  };
}
