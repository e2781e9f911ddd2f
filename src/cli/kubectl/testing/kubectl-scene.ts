import { mkdir, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { built } from '../../../../tools/go-program.ts';
import { selfSigned } from '../../../kubernetes/testing/certificate.ts';
import { listenOnLoopback } from '../../../testbed/loopback-port.ts';
import { temporaryFolder } from '../../../testbed/temporary-folder.ts';
import type { Kubectl } from '../kubectl.ts';

/** A request that the API server of a scene got. */
export type SceneRequest = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
};

export type SceneHandler = (request: SceneRequest, response: ServerResponse) => void;

/** The real kubectl with a kubeconfig of its own, and what it takes for an API server. */
export type KubectlScene = AsyncDisposable & {
  readonly kubectl: Kubectl;
  readonly requests: readonly SceneRequest[];
  readonly port: number;
  readonly folder: string;
  /** Makes the server drop all its connections, as when it is killed. */
  readonly cutAll: () => void;
};

export type SceneOptions = {
  /** Of the context. None unless set. */
  readonly namespace?: string;
  /** Of the server's URL: "/k8s/clusters/c-1". */
  readonly serverPath?: string;
  /** How the user logs in, as in a kubeconfig. A token unless set. */
  readonly user?: object;
};

/** `handler` answers as the API server; it need not set the Audit-Id, which every answer of an API server has. */
export async function kubectlScene(handler: SceneHandler, options: SceneOptions = {}): Promise<KubectlScene> {
  const { namespace, serverPath = '', user = { token: 'secret' } } = options;
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder()).path;
  const requests: SceneRequest[] = [];
  // kubectl sends its login only over TLS.
  const certificate = await selfSigned();
  const server = createServer(certificate, (request, response) => {
    void recorded(request).then((each) => {
      requests.push(each);
      response.setHeader('audit-id', 'an-id');
      handler(each, response);
    });
  });
  const port = await listenOnLoopback(server);
  stack.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  const home = join(folder, 'home');
  await mkdir(home);
  const kubeconfig = join(folder, 'kubeconfig');
  const cluster = {
    server: `https://127.0.0.1:${port}${serverPath}`,
    'certificate-authority-data': Buffer.from(certificate.cert).toString('base64'),
  };
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'scene', cluster }],
      users: [{ name: 'somebody', user }],
      contexts: [{ name: 'scene', context: { cluster: 'scene', user: 'somebody', namespace } }],
      'current-context': 'scene',
    }),
  );
  const resources = stack.move();
  return {
    kubectl: {
      program: await built('kubectl'),
      flags: [],
      namespace: undefined,
      env: { PATH: process.env['PATH'], HOME: home, KUBECONFIG: kubeconfig },
    },
    requests,
    port,
    folder,
    cutAll: () => server.closeAllConnections(),
    [Symbol.asyncDispose]: () => resources[Symbol.asyncDispose](),
  };
}

async function recorded(request: IncomingMessage): Promise<SceneRequest> {
  const { method = '', url: path = '', headers } = request;
  const body = await text(request);
  return { method, path, headers, body: body === '' ? undefined : JSON.parse(body) };
}

/** Sends an object as JSON. */
export function sendObject(response: ServerResponse, object: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(object));
}
