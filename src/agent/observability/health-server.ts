import { createServer } from 'node:http';
import { listen, type Routes, serveRoutes } from './http-routes.ts';

/** What the kubelet asks, and Prometheus where it needs no certificate. Nothing of it is secret. */
export type Health = AsyncDisposable & { readonly port: number };

export type HealthOptions = {
  readonly port: number;
  /** What is not ready yet, in words; empty when the agent is ready. Never depends on the API server once it was. */
  readonly notReady: () => readonly string[];
  /** Undefined: metrics are told elsewhere (secure-metrics-server.ts). */
  readonly metrics: (() => string) | undefined;
};

/** /healthz answers as long as the process does, whatever the API server does; /readyz says what is missing. */
export async function serveHealth({ port, notReady, metrics }: HealthOptions): Promise<Health> {
  const pages: Routes = {
    '/healthz': () => ({ status: 200, body: 'ok\n' }),
    '/readyz'() {
      const missing = notReady();
      return missing.length === 0
        ? { status: 200, body: 'ok\n' }
        : { status: 503, body: `${missing.join('\n')}\n` };
    },
    ...(metrics && { '/metrics': () => ({ status: 200, body: metrics() }) }),
  };
  const server = createServer(serveRoutes(pages));
  return {
    port: await listen(server, port),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
