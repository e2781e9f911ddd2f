import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { temporaryFolder } from '../../../testbed/temporary-folder.ts';
import { proxiedRequests } from '../../kubectl/proxied-requests.ts';
import type { Cluster } from '../cluster.ts';

/** A request as the API server of a test gets it. */
export type ApiSceneRequest = {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
};

export type ApiSceneHandler = (request: ApiSceneRequest, response: ServerResponse) => void;

/** A cluster whose API server is the handler of a test, on the socket on which kubectl proxy would listen. */
export type ApiScene = AsyncDisposable & {
  readonly cluster: Cluster;
  readonly requests: readonly ApiSceneRequest[];
};

/** `handler` answers as the API server; every answer has an Audit-Id, as its answers have. */
export async function apiScene(handler: ApiSceneHandler): Promise<ApiScene> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const requests: ApiSceneRequest[] = [];
  const server = createServer((request, response) => {
    response.setHeader('audit-id', 'an-id');
    void recorded(request).then((each) => {
      requests.push(each);
      handler(each, response);
    });
  });
  const socketPath = join(folder.path, 'socket');
  server.listen(socketPath);
  await once(server, 'listening');
  stack.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  const proxy = {
    socketPath,
    ended: new Promise<never>(() => {}),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const sent = stack.use(proxiedRequests(proxy, { requestedMs: undefined }));
  const resources = stack.move();
  const dispose = () => resources[Symbol.asyncDispose]();
  return {
    cluster: { namespace: 'shop', request: sent.send, [Symbol.asyncDispose]: dispose },
    requests,
    [Symbol.asyncDispose]: dispose,
  };
}

async function recorded(request: IncomingMessage): Promise<ApiSceneRequest> {
  const { method = '', url = '', headers } = request;
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const body = await text(request);
  return {
    method,
    path: pathname,
    query: Object.fromEntries(searchParams),
    headers,
    body: body === '' ? undefined : JSON.parse(body),
  };
}

/** Answers with an object as JSON. */
export function answerObject(response: ServerResponse, object: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(object));
}

/** Refuses as the API server does. */
export function answerStatus(response: ServerResponse, code: number, reason: string, message: string): void {
  answerObject(
    response,
    { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message },
    code,
  );
}
