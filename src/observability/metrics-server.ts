import { readFile, realpath } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { Logger } from 'pino';
import { boundedServer } from '../base/bounded-server.ts';
import { ifExists } from '../base/fs-errors.ts';
import { every } from '../base/timers.ts';
import { answerOneRequest, type RouteResponse, type Routes } from './http-routes.ts';

/** /metrics, on a port of its own. */
export type MetricsServer = AsyncDisposable & { readonly port: number };

export type MetricsServerOptions = {
  readonly port: number;
  /** Undefined: plain HTTP, for every client. */
  readonly tls: TlsOptions | undefined;
  readonly metrics: () => string;
  readonly log: Logger;
};

/** TLS only for clients with a certificate of the authority in the folder. */
export type TlsOptions = {
  /** Contains tls.crt, tls.key and ca.crt in PEM, like a mounted Secret of cert-manager. */
  readonly folder: string;
  /** How often the folder is read: the kubelet updates a mounted Secret within about a minute. */
  readonly rereadMs: number;
};

/** As long as Prometheus waits for a scrape, by default; with TLS, the handshake is part of it. */
const bounds = { connections: 64, perAddress: 8, lifetimeMs: 10_000 };
/** However many clients ask, the metrics are made once in this time. */
const renderEveryMs = 1_000;

/** Serves until it is disposed of. Throws if the port is taken. */
export async function serveMetrics(options: MetricsServerOptions): Promise<MetricsServer> {
  const routes: Routes = {
    '/metrics': renderedAtMostEvery(renderEveryMs, () => responseWith(options)),
  };
  return options.tls
    ? await serveOverTls({ ...options, tls: options.tls, routes })
    : await servePlain(options.port, routes);
}

/** Calls `render` only if its last result is older than that. */
export function renderedAtMostEvery<T>(
  ms: number,
  render: () => T,
  nowMs = () => performance.now(),
): () => T {
  let last: { readonly atMs: number; readonly rendered: T } | undefined;
  return () => {
    const atMs = nowMs();
    if (!last || atMs - last.atMs >= ms) last = { atMs, rendered: render() };
    return last.rendered;
  };
}

/** Reading the memory of the process, for one, fails while no descriptor is left: that must not end the captures. */
function responseWith({ metrics, log }: Pick<MetricsServerOptions, 'metrics' | 'log'>): RouteResponse {
  try {
    return { status: 200, body: metrics() };
  } catch (error) {
    log.warn({ err: error }, 'failed to read the metrics');
    return { status: 503, body: 'the metrics cannot be read\n' };
  }
}

async function servePlain(port: number, routes: Routes): Promise<MetricsServer> {
  const server = boundedServer(
    createServer((socket) => answerOneRequest(socket, routes)),
    bounds,
  );
  return { port: await server.listen(port), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/**
 * If the folder cannot be read, or its files do not fit together, the certificates before stay in use, and before the
 * first ones every client is refused: captures do not wait for a certificate.
 */
async function serveOverTls({
  port,
  tls,
  routes,
  log,
}: {
  readonly port: number;
  readonly tls: TlsOptions;
  readonly routes: Routes;
  readonly log: Logger;
}): Promise<MetricsServer> {
  const tlsServer = createTlsServer({ requestCert: true, rejectUnauthorized: true, minVersion }, (socket) =>
    answerOneRequest(socket, routes),
  );
  const server = boundedServer(tlsServer, bounds);
  const certificates = certificateReader({ ...tls, log }, (files) => {
    tlsServer.setSecureContext({ ...files, minVersion });
    // Clients that the certificates before let in, or are about to, must present theirs again.
    server.disconnectAll();
  });
  await certificates.read().catch(certificates.onError);
  const listening = await server.listen(port);
  const rereading = every(tls.rereadMs, certificates.read, certificates.onError);
  return {
    port: listening,
    async [Symbol.asyncDispose]() {
      rereading[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

// Go, and so Prometheus, has it since 1.13: nothing older has to be let in.
const minVersion = 'TLSv1.3';

type CertificateFiles = { readonly cert: string; readonly key: string; readonly ca: string };

/** Reads the folder, and passes on files that differ from the last ones read. */
function certificateReader(
  { folder, log }: Pick<TlsOptions, 'folder'> & { readonly log: Logger },
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
