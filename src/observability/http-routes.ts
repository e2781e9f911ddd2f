import type { Socket } from 'node:net';

/** What answers a request, by its path; the method and the headers do not matter. */
export type Routes = Readonly<Record<string, () => RouteResponse>>;

export type RouteResponse = { readonly status: 200 | 404 | 503; readonly body: string };

/** The kubelet's request takes 150 bytes, Prometheus' 400. */
const maxHeadBytes = 8_192;
const statusTexts = { 200: 'OK', 404: 'Not Found', 503: 'Service Unavailable' } as const;

/**
 * Answers one request by the route of its path, and with 404 if there is none, in Prometheus' text format; then the
 * connection ends. node:http makes two objects for every request that a client pipelines, even after the connection is
 * destroyed: 64 KiB of them keep the event loop busy for 90 ms.
 */
export function answerOneRequest(socket: Socket, routes: Routes): void {
  let head = '';
  const onData = (chunk: Buffer) => {
    head += chunk.toString('latin1', 0, maxHeadBytes + 1 - head.length);
    if (head.includes('\r\n\r\n')) {
      // What else the client sends is not read.
      socket.off('data', onData).pause();
      answer(socket, head, routes);
    } else if (head.length > maxHeadBytes) socket.destroy();
  };
  // A client that disconnects gets no answer, and that is all.
  socket.on('data', onData).on('error', () => socket.destroy());
}

/** Closes once the kernel has the answer: until then, what limits the connection's lifetime does. */
function answer(socket: Socket, head: string, routes: Routes): void {
  const [, method, path = ''] = /^([A-Z]+) (\S+) HTTP\/1\.[01]\r\n/.exec(head) ?? [];
  if (method === undefined) {
    socket.destroy();
    return;
  }
  const { status, body } = (Object.hasOwn(routes, path) ? routes[path] : undefined)?.() ?? notFound;
  const lines = [
    `HTTP/1.1 ${status} ${statusTexts[status]}`,
    'content-type: text/plain; version=0.0.4; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n${method === 'HEAD' ? '' : body}`);
  socket.destroySoon();
}

const notFound = { status: 404, body: 'not found\n' } as const;
