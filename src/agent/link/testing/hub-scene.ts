import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kubernetesClient } from '../../../kubernetes/client.ts';
import { type ApiCollection, apiCollection } from '../../../kubernetes/testing/api-collection.ts';
import { type ApiServer, apiServer } from '../../../kubernetes/testing/api-server.ts';
import { type Authority, authority } from '../../../kubernetes/testing/certificate.ts';
import { type Line, memoryLog } from '../../../kubernetes/testing/memory-logger.ts';
import { type TemporaryFolder, temporaryFolder } from '../../../testbed/temporary-folder.ts';
import { type HubLinks, type HubLinksOptions, startHubLinks } from '../hub-links.ts';
import { type TestHub, type TestHubOptions, testHub } from './test-hub.ts';

/** An API server that knows where the hub is, and the hubs themselves. */
export type HubScene = AsyncDisposable & {
  readonly server: ApiServer;
  readonly authority: Authority;
  readonly slices: ApiCollection;
  readonly configMaps: ApiCollection;
  readonly tokenFile: string;
  readonly setToken: (token: string) => Promise<void>;
  /** Writes the authority into the ConfigMap. */
  readonly trust: (...authorities: readonly Pick<Authority, 'cert'>[]) => void;
  /** Lists these hubs as the endpoints of the Service. */
  readonly list: (...hubs: readonly ListedHub[]) => void;
  readonly startHub: (options?: Partial<TestHubOptions>) => Promise<TestHub>;
};

export type ListedHub = { readonly port: number; readonly isTerminating?: boolean };

export const hubService = { namespace: 'kube-system', name: 'podcap-hub-link' };
export const hubServerName = 'podcap-hub.kube-system.svc';

/** No hub yet; its authority is in the ConfigMap. */
export async function hubScene(server?: ApiServer): Promise<HubScene> {
  await using opening = new AsyncDisposableStack();
  const folder: TemporaryFolder = opening.use(await temporaryFolder());
  const apis = server ?? opening.use(await apiServer());
  const ca = await authority('podcap-hub');
  const slices = apiCollection();
  const configMaps = apiCollection();
  apis.collections.set('/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices', slices);
  apis.collections.set('/api/v1/namespaces/kube-system/configmaps', configMaps);
  const tokenFile = join(folder.path, 'token');
  const setToken = async (token: string) => await writeFile(tokenFile, token);
  await setToken('first');
  const trust: HubScene['trust'] = (...authorities) =>
    configMaps.apply('podcap-hub-ca', { data: { 'ca.crt': authorities.map(({ cert }) => cert).join('\n') } });
  trust(ca);
  const opened = opening.move();
  return {
    server: apis,
    authority: ca,
    slices,
    configMaps,
    tokenFile,
    setToken,
    trust,
    list: (...hubs) => listHubs(slices, hubs),
    async startHub(options) {
      const certificate = await ca.sign('server', { dnsName: hubServerName });
      return opened.use(await testHub({ certificate, ...options }));
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Each has a slice of its own: a slice has one port for all its addresses. */
function listHubs(slices: ApiCollection, hubs: readonly ListedHub[]): void {
  for (const name of slices.names()) {
    if (!hubs.some(({ port }) => name === sliceName(port))) slices.delete(name);
  }
  for (const { port, isTerminating = false } of hubs) {
    slices.apply(sliceName(port), {
      addressType: 'IPv4',
      ports: [{ name: 'link', port }],
      endpoints: [
        { addresses: ['127.0.0.1'], conditions: { ready: !isTerminating, terminating: isTerminating } },
      ],
    });
  }
}

const sliceName = (port: number) => `podcap-hub-link-${port}`;

/** Links that retry within milliseconds, and their log. */
export function startTestLinks(
  scene: HubScene,
  options: Partial<HubLinksOptions> = {},
): AsyncDisposable & Pick<HubLinks, 'counts'> & { readonly lines: readonly Line[] } {
  const log = memoryLog();
  const client = kubernetesClient(scene.server.config);
  const links = startHubLinks({
    hub: hubService,
    client,
    version: 'agent-1',
    tokenFile: scene.tokenFile,
    routes: new Map(),
    backoff: { minMs: 20, maxMs: 40 },
    log,
    ...options,
  });
  return {
    counts: links.counts,
    lines: log.lines,
    async [Symbol.asyncDispose]() {
      await links[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
    },
  };
}
