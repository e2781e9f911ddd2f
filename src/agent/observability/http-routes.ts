import type { RequestListener } from 'node:http';
import type { Server } from 'node:net';

/** What is answered to the path of a request, whatever its method. */
export type Routes = Readonly<Record<string, () => RouteResponse>>;

export type RouteResponse = { readonly status: number; readonly body: string };

/** Answers with the page of the path, in the text format of Prometheus. */
export function serveRoutes(pages: Routes): RequestListener {
  return (request, response) => {
    const { status, body } = pages[request.url ?? '']?.() ?? { status: 404, body: 'not found\n' };
    response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(body);
  };
}

/** Listens on every address of the machine; gives back the port, which is another one than 0. Throws when it is taken. */
export async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    // Later too, when a connection cannot be taken: an error that nobody hears would end the agent.
    server.on('error', reject);
    server.listen(port, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address ? address.port : port;
}
