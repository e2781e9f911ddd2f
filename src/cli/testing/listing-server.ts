import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { listenOnLoopback } from '../../testbed/loopback-port.ts';

/** An API server, over plain HTTP, that has Pods, captures and namespaces, and knows no more of them than their names. */
export type ListingServer = AsyncDisposable & { readonly writeKubeconfig: (path: string) => Promise<void> };

const groups = [{ name: 'podcap.dev', version: 'v1alpha1' }];

/** `names`: by path, such as /api/v1/namespaces/shop/pods. */
export async function listingServer(
  names: Readonly<Record<string, readonly string[]>>,
): Promise<ListingServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/\?[^]*$/, '');
    const body = discovery(path) ?? table(names[path]);
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify(body ?? { kind: 'Status', status: 'Failure', code: 404, reason: 'NotFound' }),
    );
  });
  const port = await listenOnLoopback(server);
  return {
    writeKubeconfig: (path) => writeFile(path, JSON.stringify(kubeconfig(`http://127.0.0.1:${port}`))),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function kubeconfig(server: string): object {
  const context = { cluster: 'test', namespace: 'shop', user: 'test' };
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server } }],
    contexts: [
      { name: 'test', context },
      { name: 'arn:aws:prod', context },
    ],
    users: [{ name: 'test', user: {} }],
  };
}

function discovery(path: string): object | undefined {
  switch (path) {
    case '/api':
      return { kind: 'APIVersions', versions: ['v1'] };
    case '/apis':
      return {
        kind: 'APIGroupList',
        apiVersion: 'v1',
        groups: groups.map(({ name, version }) => {
          const preferredVersion = { groupVersion: `${name}/${version}`, version };
          return { name, versions: [preferredVersion], preferredVersion };
        }),
      };
    case '/api/v1': {
      const resources = [resource('pods', 'Pod'), resource('namespaces', 'Namespace', false)];
      return { kind: 'APIResourceList', groupVersion: 'v1', resources };
    }
    case '/apis/podcap.dev/v1alpha1': {
      const resources = [resource('captures', 'Capture')];
      return { kind: 'APIResourceList', groupVersion: 'podcap.dev/v1alpha1', resources };
    }
    default:
      return undefined;
  }
}

/** As API servers answer `kubectl get`. */
function table(names: readonly string[] | undefined): object | undefined {
  if (names === undefined) return undefined;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: {},
    columnDefinitions: [{ name: 'Name', type: 'string', format: 'name', description: '', priority: 0 }],
    rows: names.map((name) => ({
      cells: [name],
      object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { name } },
    })),
  };
}

function resource(name: string, kind: string, namespaced = true): object {
  return { name, kind, namespaced, singularName: kind.toLowerCase(), verbs: ['get', 'list'] };
}
