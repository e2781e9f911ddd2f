import { createServer } from 'node:http';
import { listen, type Routes, serveRoutes } from './http-routes.ts';

/** Routes for the kubelet, and for Prometheus unless it needs a certificate. They reveal nothing secret. */
export type Health = AsyncDisposable & { readonly port: number };

export type HealthOptions = {
  readonly port: number;
  /** Empty when the agent is ready. Never depends on the API server once the agent was ready. */
  readonly unreadyReasons: () => readonly string[];
  /** Undefined if metrics need a certificate (secure-metrics-server.ts). */
  readonly metrics: (() => string) | undefined;
};

/**
 * Serves /healthz, which answers as long as the process does, whatever the API server does; /readyz, which answers why
 * the agent is not ready; and /metrics. Throws when the port is taken.
 */
export async function serveHealth(options: HealthOptions): Promise<Health> {
  const server = createServer(serveRoutes(healthRoutes(options)));
  return {
    port: await listen(server, options.port),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function healthRoutes({ unreadyReasons, metrics }: HealthOptions): Routes {
  return {
    '/healthz': () => ({ status: 200, body: 'ok\n' }),
    '/readyz'() {
      const reasons = unreadyReasons();
      return reasons.length === 0
        ? { status: 200, body: 'ok\n' }
        : { status: 503, body: `${reasons.join('\n')}\n` };
    },
    ...(metrics && { '/metrics': () => ({ status: 200, body: metrics() }) }),
  };
}
