import type { Logger } from 'pino';
import { type MetricsServerOptions, serveMetrics } from './metrics-server.ts';
import { type ProbeOptions, serveProbes } from './probe-server.ts';

export type ListenerOptions = Pick<ProbeOptions, 'stuckWork' | 'unreadyReasons'> &
  Pick<MetricsServerOptions, 'metrics'> & { readonly log: Logger };

/** How often the certificates of /metrics are read. */
const rereadCertificatesEveryMs = 10_000;

export type ListenerPorts = {
  readonly probePort: number;
  readonly metricsPort: number;
  /** Undefined: the metrics are served without TLS. */
  readonly metricsTlsFolder: string | undefined;
};

/** Serves the probes on one port and the metrics on another. Throws if one of them is taken. */
export async function serveListeners(
  settings: ListenerPorts,
  options: ListenerOptions,
): Promise<AsyncDisposable> {
  const { probePort, metricsPort, metricsTlsFolder: folder } = settings;
  await using servers = new AsyncDisposableStack();
  servers.use(await serveProbes({ ...options, port: probePort }));
  const tls = folder === undefined ? undefined : { folder, rereadMs: rereadCertificatesEveryMs };
  servers.use(await serveMetrics({ ...options, port: metricsPort, tls }));
  return servers.move();
}
