import * as v from 'valibot';
import { stringMap } from '../../kubernetes/string-map.ts';
import { parseObject, requestObject } from '../api/api-answer.ts';
import { apiPath } from '../api/api-paths.ts';
import type { Cluster } from '../api/cluster.ts';

/** The hub or the agents, as the object that runs them describes them. */
export type ComponentVersion = {
  readonly namespace: string;
  readonly name: string;
  /** Of the chart that it was installed with. */
  readonly version: string | undefined;
  /** How many Pods of it are ready, how many there should be, and how many of these have its newest template. */
  readonly ready: number;
  readonly desired: number;
  readonly updated: number;
};

/** What is installed, or why that is not known, in the words of the API server. */
export type Installed =
  | { readonly kind: 'known'; readonly components: readonly ComponentVersion[] }
  | { readonly kind: 'unknown'; readonly message: string };

/** For `openCluster`. */
export const componentPaths = ['/apis/apps/v1/(daemonsets|deployments)'] as const;

/** The Deployments of the hub in all namespaces. */
export async function installedHubs(cluster: Cluster, signal: AbortSignal): Promise<Installed> {
  return await installed(cluster, { resource: 'deployments', schema: deploymentSchema }, signal);
}

/** The DaemonSets of the agents in all namespaces. */
export async function installedAgents(cluster: Cluster, signal: AbortSignal): Promise<Installed> {
  return await installed(cluster, { resource: 'daemonsets', schema: daemonSetSchema }, signal);
}

type Collection = {
  readonly resource: string;
  readonly schema: v.GenericSchema<unknown, ComponentVersion>;
};

async function installed(
  cluster: Cluster,
  { resource, schema }: Collection,
  signal: AbortSignal,
): Promise<Installed> {
  const path = apiPath(['apis', 'apps', 'v1', resource], { labelSelector: 'app.kubernetes.io/name=podcap' });
  const answer = await requestObject(cluster, { path, signal });
  if (answer.kind === 'refused') return { kind: 'unknown', message: answer.message };
  const { items } = parseObject(v.object({ items: v.nullish(v.array(schema), []) }), answer.object, path);
  return { kind: 'known', components: items };
}

const metadataSchema = v.object({
  namespace: v.string(),
  name: v.string(),
  labels: v.nullish(stringMap, {}),
});
const count = v.nullish(v.number(), 0);

type Metadata = v.InferOutput<typeof metadataSchema>;

function described({
  namespace,
  name,
  labels,
}: Metadata): Pick<ComponentVersion, 'namespace' | 'name' | 'version'> {
  return { namespace, name, version: labels['app.kubernetes.io/version'] };
}

const deploymentSchema = v.pipe(
  v.object({
    metadata: metadataSchema,
    spec: v.object({ replicas: v.nullish(v.number(), 1) }),
    status: v.nullish(v.object({ readyReplicas: count, updatedReplicas: count }), {}),
  }),
  v.transform(({ metadata, spec, status }) => ({
    ...described(metadata),
    ready: status.readyReplicas,
    desired: spec.replicas,
    updated: status.updatedReplicas,
  })),
);

const daemonSetSchema = v.pipe(
  v.object({
    metadata: metadataSchema,
    status: v.nullish(
      v.object({ numberReady: count, desiredNumberScheduled: count, updatedNumberScheduled: count }),
      {},
    ),
  }),
  v.transform(({ metadata, status }) => ({
    ...described(metadata),
    ready: status.numberReady,
    desired: status.desiredNumberScheduled,
    updated: status.updatedNumberScheduled,
  })),
);
