import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import * as v from 'valibot';
import { until } from '../../src/base/until.ts';
import { ApiError } from '../../src/kubernetes/api-error.ts';
import { type KubernetesClient, kubernetesClient } from '../../src/kubernetes/client.ts';
import { kubeconfigConfig } from '../../src/kubernetes/client-config.ts';
import { built } from '../../tools/go-program.ts';
import { template } from '../../tools/manifests.ts';
import { output } from '../../tools/shell.ts';
import { checkout } from '../../tools/target.ts';
import { kubectl, kubectlCommand } from './run-kubectl.ts';
import type { TestCluster } from './test-cluster.ts';

/** The policies of the chart, by their value below `admission`. */
export type Policy = 'allowedValues' | 'warnings' | 'allowedUsers';

/** The query of a request that the API server judges like any other, and does not store. */
export const dryRun = { dryRun: 'All' };

/** Installs some of the chart's policies, for the namespace of a test only. Disposing removes them. */
export async function installPolicies(
  { namespace }: TestCluster,
  ...policies: readonly Policy[]
): Promise<AsyncDisposable> {
  const admission = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    allowedValues: { enabled: policies.includes('allowedValues') },
    warnings: { enabled: policies.includes('warnings') },
    allowedUsers: { enabled: policies.includes('allowedUsers') },
  };
  const folder = join(checkout, 'build/admission');
  await mkdir(folder, { recursive: true });
  const [values, manifest] = [join(folder, `${namespace}.json`), join(folder, `${namespace}.yaml`)];
  await writeFile(values, JSON.stringify({ admission }));
  const only = ['--show-only', 'templates/admission.yaml', '--values', values];
  await writeFile(manifest, await output(await built('helm'), [...template(namespace), ...only]));
  await kubectl('apply', '-f', manifest);
  return {
    async [Symbol.asyncDispose]() {
      await kubectl('delete', '--wait=false', '-f', manifest);
    },
  };
}

/** Why the API server refuses a request; undefined if it does not. Any error but 403 and 422 is thrown. */
export async function refusalOf(request: Promise<unknown>): Promise<ApiError | undefined> {
  try {
    await request;
    return undefined;
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.status === 422)) return error;
    throw error;
  }
}

/**
 * Runs kubectl, which must succeed, and returns the warnings of the policies that it prints, without the policies'
 * names. `input` is its standard input, as JSON.
 */
export async function warningsOf(args: readonly string[], input: object = {}): Promise<string[]> {
  const [program, ...all] = kubectlCommand(...args);
  const child = spawn(program, all, { stdio: ['pipe', 'ignore', 'pipe'] });
  child.stdin.end(JSON.stringify(input));
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return [...stderr.matchAll(/^Warning: Validation failed .*? with binding '[^']*': (.*)$/gm)].map(
    ([, warning = '']) => warning,
  );
}

/** Waits until a policy refuses this request: an API server applies a policy a moment after it exists. */
export async function waitForPolicy(request: () => Promise<unknown>): Promise<void> {
  await until(async () => (await refusalOf(request())) !== undefined, {
    what: 'the policy to be in effect',
    deadlineMs: 30_000,
  });
}

/** A ServiceAccount that requests can be made as. */
export type TestServiceAccount = AsyncDisposable & {
  /** As the API server names it. */
  readonly name: string;
  readonly namespace: string;
  readonly client: KubernetesClient;
  /** The file with which kubectl acts as that account. */
  readonly kubeconfig: string;
};

/** Creates it in the test's namespace, with a token, and binds these ClusterRoles to it there. */
export async function serviceAccount(
  { client, namespace }: TestCluster,
  name: string,
  clusterRoles: readonly string[],
): Promise<TestServiceAccount> {
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await client.create({ path: accounts, body: { metadata: { name } } });
  for (const role of clusterRoles) {
    await client.create({
      path: `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`,
      body: {
        metadata: { generateName: `${name}-` },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects: [{ kind: 'ServiceAccount', name, namespace }],
      },
    });
  }
  const request = await client.create({ path: `${accounts}/${name}/token`, body: { spec: {} } });
  const { token } = v.parse(tokenSchema, request).status;
  const admin = await kubectl('config', 'view', '--raw', '--flatten', '-o', 'json');
  const { server, ca = '' } = kubeconfigConfig(admin);
  const own = kubernetesClient({ server, ca, credentials: { kind: 'token', token } });
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    namespace,
    client: own,
    kubeconfig: await writeKubeconfig(`${namespace}-${name}`, { server, ca, token }),
    [Symbol.asyncDispose]: () => own[Symbol.asyncDispose](),
  };
}

const tokenSchema = v.object({ status: v.object({ token: v.string() }) });

async function writeKubeconfig(
  name: string,
  { server, ca, token }: { readonly server: URL; readonly ca: string; readonly token: string },
): Promise<string> {
  const file = join(checkout, `build/admission/${name}.kubeconfig`);
  await mkdir(join(checkout, 'build/admission'), { recursive: true });
  const cluster = { server: server.href, 'certificate-authority-data': Buffer.from(ca).toString('base64') };
  const config = {
    'current-context': name,
    contexts: [{ name, context: { cluster: name, user: name } }],
    clusters: [{ name, cluster }],
    users: [{ name, user: { token } }],
  };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}
