import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import * as v from 'valibot';

/** The address of the API server, the CA that it is verified with, and the credentials that Podcap presents. */
export type ClusterConfig = {
  readonly server: URL;
  /** PEM; without it, the certificate authorities of the system are trusted. */
  readonly ca?: string;
  readonly credentials: Credentials;
};

/** How Podcap authenticates. */
export type Credentials =
  | { readonly kind: 'token-file'; readonly path: string }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'client-certificate'; readonly cert: string; readonly key: string };

/**
 * The configuration that the kubelet gives every Pod: the API server's address in the environment, the CA and a token
 * as files. Throws when this process does not run in a Pod, or in one without a service account token.
 */
export async function serviceAccountConfig({
  env = process.env,
  folder = '/var/run/secrets/kubernetes.io/serviceaccount',
}: {
  readonly env?: NodeJS.ProcessEnv;
  readonly folder?: string;
} = {}): Promise<ClusterConfig> {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  if (!host || !port) {
    throw new Error('not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set');
  }
  const ca = await readFile(join(folder, 'ca.crt'), 'utf8').catch((cause: unknown) => {
    throw new Error(`no service account in ${folder}: is automountServiceAccountToken false?`, { cause });
  });
  return {
    server: new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
    ca,
    credentials: { kind: 'token-file', path: join(folder, 'token') },
  };
}

/**
 * The configuration of the current context of a kubeconfig, from the output of `kubectl config view --raw --flatten -o
 * json`. For development, tests and benchmarks. Throws when it needs a login plugin or files that are not embedded.
 */
export function kubeconfigConfig(json: string): ClusterConfig {
  const file = v.parse(kubeconfigSchema, JSON.parse(json));
  const context = find(file.contexts, file['current-context'], 'context').context;
  const cluster = find(file.clusters, context.cluster, 'cluster').cluster;
  const ca = cluster['certificate-authority-data'];
  return {
    server: new URL(cluster.server),
    ...(ca === undefined ? {} : { ca: decode(ca) }),
    credentials: userCredentials(find(file.users, context.user, 'user')),
  };
}

const kubeconfigSchema = v.object({
  'current-context': v.string(),
  contexts: v.array(
    v.object({ name: v.string(), context: v.object({ cluster: v.string(), user: v.string() }) }),
  ),
  clusters: v.array(
    v.object({
      name: v.string(),
      cluster: v.object({ server: v.string(), 'certificate-authority-data': v.optional(v.string()) }),
    }),
  ),
  users: v.array(
    v.object({
      name: v.string(),
      user: v.object({
        token: v.optional(v.string()),
        tokenFile: v.optional(v.string()),
        'client-certificate-data': v.optional(v.string()),
        'client-key-data': v.optional(v.string()),
      }),
    }),
  ),
});

type KubeconfigUser = v.InferOutput<typeof kubeconfigSchema>['users'][number];

function userCredentials({ name, user }: KubeconfigUser): Credentials {
  const cert = user['client-certificate-data'];
  const key = user['client-key-data'];
  if (cert !== undefined && key !== undefined) {
    return { kind: 'client-certificate', cert: decode(cert), key: decode(key) };
  }
  if (user.tokenFile !== undefined) return { kind: 'token-file', path: user.tokenFile };
  if (user.token !== undefined) return { kind: 'token', token: user.token };
  throw new Error(
    `kubeconfig user ${name} has neither a token nor an embedded client certificate (try --flatten)`,
  );
}

function find<T extends { readonly name: string }>(entries: readonly T[], name: string, what: string): T {
  const found = entries.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`kubeconfig has no ${what} named ${name}`);
  return found;
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
