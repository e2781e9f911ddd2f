import { createServer } from 'node:http';

/** What the kubelet asks: is the process alive, is it ready? */
export type Health = AsyncDisposable & { readonly port: number };

export type HealthOptions = {
  readonly port: number;
  /** What is not ready yet, in words; empty when the agent is ready. Never depends on the API server once it was. */
  readonly notReady: () => readonly string[];
};

/** /healthz answers as long as the process does, whatever the API server does; /readyz says what is missing. */
export async function serveHealth({ port, notReady }: HealthOptions): Promise<Health> {
  const server = createServer((request, response) => {
    const missing = request.url === '/readyz' ? notReady() : [];
    const known = request.url === '/healthz' || request.url === '/readyz';
    response.statusCode = !known ? 404 : missing.length > 0 ? 503 : 200;
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    response.end(`${!known ? 'not found' : missing.join('\n') || 'ok'}\n`);
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
