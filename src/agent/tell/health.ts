import { createServer } from 'node:http';

/** What the kubelet and Prometheus ask. */
export type Health = AsyncDisposable & { readonly port: number };

export type HealthOptions = {
  readonly port: number;
  /** What is not ready yet, in words; empty when the agent is ready. Never depends on the API server once it was. */
  readonly notReady: () => readonly string[];
  readonly metrics: () => string;
};

type Answer = { readonly status: number; readonly body: string };

/** /healthz answers as long as the process does, whatever the API server does; /readyz says what is missing. */
export async function serveHealth({ port, notReady, metrics }: HealthOptions): Promise<Health> {
  const answers: Readonly<Record<string, () => Answer>> = {
    '/healthz': () => ({ status: 200, body: 'ok\n' }),
    '/readyz'() {
      const missing = notReady();
      return missing.length === 0
        ? { status: 200, body: 'ok\n' }
        : { status: 503, body: `${missing.join('\n')}\n` };
    },
    '/metrics': () => ({ status: 200, body: metrics() }),
  };
  const server = createServer((request, response) => {
    const { status, body } = answers[request.url ?? '']?.() ?? { status: 404, body: 'not found\n' };
    response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(body);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
