import { readFile, realpath } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { ifExists } from '../../base/fs-errors.ts';
import { every } from '../../base/timers.ts';
import { listen, serveRoutes } from './http-routes.ts';

/** /metrics over TLS, only for clients with a certificate of the authority in the folder. */
export type SecureMetrics = AsyncDisposable & { readonly port: number };

export type SecureMetricsOptions = {
  readonly port: number;
  /** Contains tls.crt, tls.key and ca.crt in PEM, like a mounted Secret of cert-manager. */
  readonly folder: string;
  /** How often the folder is read: the kubelet updates a mounted Secret within about a minute. */
  readonly rereadMs: number;
  readonly metrics: () => string;
  readonly log: Logger;
};

/**
 * Serves until it is disposed of. If the folder cannot be read, or its files do not fit together, the certificates
 * before stay in use, and before the first ones every client is refused: captures do not wait for a certificate.
 * Throws when the port is taken.
 */
export async function serveSecureMetrics(options: SecureMetricsOptions): Promise<SecureMetrics> {
  const { metrics } = options;
  const server = createServer(
    { requestCert: true, rejectUnauthorized: true, minVersion, handshakeTimeout },
    serveRoutes({ '/metrics': () => ({ status: 200, body: metrics() }) }),
  );
  const sockets = trackSockets(server);
  const certificates = certificateReader(options, (files) => {
    server.setSecureContext({ ...files, minVersion });
    // Clients that the certificates before let in, or are about to, must present theirs again.
    sockets.destroyAll();
  });
  await certificates.read().catch(certificates.onError);
  const port = await listen(server, options.port);
  const rereading = every(options.rereadMs, certificates.read, certificates.onError);
  return {
    port,
    async [Symbol.asyncDispose]() {
      rereading[Symbol.dispose]();
      sockets.destroyAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// Go, and so Prometheus, has it since 1.13: nothing older has to be let in.
const minVersion = 'TLSv1.3';
/** In milliseconds. A client that presents no certificate occupies a connection no longer than this. */
const handshakeTimeout = 10_000;

type CertificateFiles = { readonly cert: string; readonly key: string; readonly ca: string };

/** Reads the folder, and passes on files that differ from the last ones read. */
function certificateReader(
  { folder, log }: SecureMetricsOptions,
  use: (files: CertificateFiles) => void,
): { readonly read: () => Promise<void>; readonly onError: (error: unknown) => void } {
  let lastRead = '';
  let lastError = '';
  return {
    async read() {
      const files = await readFiles(folder);
      const content = JSON.stringify(files);
      if (content === lastRead) return;
      lastRead = content;
      use(files);
      lastError = '';
      log.info({ folder }, 'certificates read');
    },
    onError(error) {
      // Once per reason, not every few seconds.
      if (String(error) !== lastError) log.warn({ err: error, folder }, 'failed to read certificates');
      lastError = String(error);
    },
  };
}

/** The kubelet replaces all files of a Secret at once, by a link to another folder: none is read from the next one. */
async function readFiles(folder: string): Promise<CertificateFiles> {
  const linked = (await ifExists(realpath(join(folder, '..data')))) ?? folder;
  const read = (name: string) => readFile(join(linked, name), 'utf8');
  return { cert: await read('tls.crt'), key: await read('tls.key'), ca: await read('ca.crt') };
}

/** Every connection from its first byte on: the server's own list has only those whose handshake is over. */
function trackSockets(server: Server): { readonly destroyAll: () => void } {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return {
    destroyAll() {
      for (const socket of open) socket.destroy();
    },
  };
}
