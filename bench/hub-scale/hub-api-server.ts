import * as v from 'valibot';
import { answerTokenReviews } from '../../src/hub/testing/agent-token.ts';
import type { ClusterConfig } from '../../src/kubernetes/client-config.ts';
import { apiCollection } from '../../src/kubernetes/testing/api-collection.ts';
import { type ApiServer, apiServer } from '../../src/kubernetes/testing/api-server.ts';
import { authority, type Certificate } from '../../src/kubernetes/testing/certificate.ts';
import { simulatedNamespaces } from './simulated-recordings.ts';

/** The objects of the release. */
export const hubObjects = { namespace: 'kube-system', name: 'podcap-hub' } as const;

/** An API server for a hub: it accepts the tokens of simulated agents, and allows everybody everything. */
export type HubApiServer = AsyncDisposable & {
  readonly config: ClusterConfig;
  /** The certificate by which the hub knows an API server. */
  readonly frontProxy: Certificate;
  /** What the hub has published for agents to verify it with; undefined before it has. */
  readonly authority: () => string | undefined;
};

const base = `/api/v1/namespaces/${hubObjects.namespace}`;
const secretPath = `${base}/secrets/${hubObjects.name}`;
const configMapPath = `${base}/configmaps/${hubObjects.name}-ca`;
const reviewPath = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
const createdAt = '2026-01-01T00:00:00Z';

/** Starts it. */
export async function hubApiServer({ agents }: { readonly agents: number }): Promise<HubApiServer> {
  const proxies = await authority('front-proxy');
  const clients = await authority('clients');
  const server = await apiServer();
  answerTokenReviews(server);
  server.answers.set(reviewPath, () => ({
    kind: 'json',
    status: 201,
    body: { kind: 'SubjectAccessReview', status: { allowed: true } },
  }));
  server.collections.set(`${base}/configmaps`, authenticationConfig(proxies.cert, clients.cert));
  server.absent.add('/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.podcap.dev');
  addObjects(server, agents);
  return {
    config: server.config,
    frontProxy: await proxies.sign('client', { name: proxyName }),
    authority: () =>
      v.parse(configMapSchema, server.objects.get(configMapPath)).data?.['ca.crt'] || undefined,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const proxyName = 'front-proxy-client';
const configMapSchema = v.object({ data: v.optional(v.record(v.string(), v.string())) });

/** What the API server publishes of itself for aggregated API servers. */
function authenticationConfig(proxyAuthority: string, clientAuthority: string) {
  const collection = apiCollection();
  collection.apply('extension-apiserver-authentication', {
    data: {
      'client-ca-file': clientAuthority,
      'requestheader-client-ca-file': proxyAuthority,
      'requestheader-allowed-names': JSON.stringify([proxyName]),
      'requestheader-username-headers': '["X-Remote-User"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
    },
  });
  return collection;
}

function addObjects({ objects }: ApiServer, agents: number): void {
  const { namespace, name } = hubObjects;
  const metadata = (of: string) => ({ name: of, namespace, resourceVersion: '1', uid: `uid-of-${of}` });
  objects.set(secretPath, { kind: 'Secret', metadata: metadata(name), type: 'Opaque' });
  objects.set(configMapPath, { kind: 'ConfigMap', metadata: metadata(`${name}-ca`) });
  objects.set(`/apis/apps/v1/namespaces/${namespace}/deployments/${name}`, {
    kind: 'Deployment',
    metadata: metadata(name),
    spec: { replicas: 1 },
  });
  objects.set(`/apis/apps/v1/namespaces/${namespace}/daemonsets/podcap`, {
    kind: 'DaemonSet',
    metadata: metadata('podcap'),
    status: { numberReady: agents, desiredNumberScheduled: agents },
  });
  objects.set(`/apis/rbac.authorization.k8s.io/v1/clusterroles/${name}`, {
    kind: 'ClusterRole',
    metadata: metadata(name),
  });
  for (const each of simulatedNamespaces)
    objects.set(`/api/v1/namespaces/${each}`, {
      kind: 'Namespace',
      metadata: { name: each, creationTimestamp: createdAt },
    });
}
