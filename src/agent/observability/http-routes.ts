import type { RequestListener } from 'node:http';
import type { Server } from 'node:net';

/** What answers a request, by its path; the method does not matter. */
export type Routes = Readonly<Record<string, () => RouteResponse>>;

export type RouteResponse = { readonly status: number; readonly body: string };

/**
 * Answers each request by the route of its path, and with 404 if there is none; in Prometheus' text format. A client
 * that sends a request before it has read the answer to the one before is disconnected: neither the kubelet nor
 * Prometheus does, and the answers would wait in memory.
 */
export function serveRoutes(routes: Routes): RequestListener {
  return (request, response) => {
    // An answer gets the connection after the one before it has been sent. After destroy(), no request is left either.
    if (response.socket === null || request.socket.destroyed) {
      request.socket.destroy();
      return;
    }
    const route = routes[request.url ?? ''];
    const { status, body } = route?.() ?? { status: 404, body: 'not found\n' };
    response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(body);
  };
}

/** Listens on every address of the machine. Returns the port, a free one for 0. Throws when the port is taken. */
export async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    // Stays registered: without a listener, an error while a connection is accepted later would end the agent.
    server.on('error', reject);
    server.listen(port, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address ? address.port : port;
}
