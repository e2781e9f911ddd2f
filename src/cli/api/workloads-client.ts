import * as v from 'valibot';
import { stringMap } from '../../kubernetes/string-map.ts';
import { objectOf, parseObject, requestObject } from './api-answer.ts';
import { apiPath, inNamespace } from './api-paths.ts';
import type { Cluster } from './cluster.ts';
import { type OwnedPod, ownerReferencesSchema } from './pods-client.ts';
import type { WorkloadType } from './targets.ts';

/** A workload, as far as its Pods are found by it. */
export type Workload = {
  readonly namespace: string;
  readonly type: WorkloadType;
  readonly name: string;
  readonly uid: string;
  /** Of its Pods, as a query. Others can have the same labels: ownership decides. */
  readonly labelSelector: string;
};

/** Reads a workload. Throws a CommandFailure with the words of the API server if it refuses, or there is none. */
export async function readWorkload(
  cluster: Cluster,
  { type, name }: Pick<Workload, 'type' | 'name'>,
  signal: AbortSignal,
): Promise<Workload> {
  const { namespace } = cluster;
  const path = apiPath([...workloadSegments(namespace, type), name]);
  const object = objectOf(await requestObject(cluster, { path, signal }));
  const { metadata, spec } = parseObject(workloadSchema, object, path);
  return { namespace, type, name, uid: metadata.uid, labelSelector: selectorText(spec.selector) };
}

/** Says of each Pod whether the workload owns it, itself or through a ReplicaSet. Remembers the ReplicaSets it has read. */
export type OwnershipTest = (pod: OwnedPod, signal: AbortSignal) => Promise<boolean>;

/** For a Deployment, each ReplicaSet that a Pod names is read once. */
export function ownershipTest(cluster: Cluster, workload: Workload): OwnershipTest {
  const replicaSets = new Map<string, Promise<string | undefined>>();
  return async ({ controller }, signal) => {
    if (!controller) return false;
    if (workload.type !== 'deployment') return controller.uid === workload.uid;
    const known = replicaSets.get(controller.uid);
    if (known) return (await known) === workload.uid;
    const reading = replicaSetOwner(cluster, controller, signal);
    if (replicaSets.size >= mostReplicaSets) replicaSets.clear();
    replicaSets.set(controller.uid, reading);
    try {
      return (await reading) === workload.uid;
    } catch (error) {
      replicaSets.delete(controller.uid);
      throw error;
    }
  };
}

/** A Deployment keeps ten old ReplicaSets unless told otherwise. */
const mostReplicaSets = 1_000;

/** The UID of the Deployment of a ReplicaSet; undefined if it has none, or is another one, or is gone. */
async function replicaSetOwner(
  cluster: Cluster,
  { uid, name }: NonNullable<OwnedPod['controller']>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const path = apiPath([...workloadSegments(cluster.namespace, 'replicaset'), name]);
  const answer = await requestObject(cluster, { path, signal });
  if (answer.kind === 'refused' && answer.reason === 'NotFound') return undefined;
  const { metadata } = parseObject(workloadSchema, objectOf(answer), path);
  if (metadata.uid !== uid) return undefined;
  return metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid;
}

function workloadSegments(namespace: string, type: WorkloadType): readonly string[] {
  const group = type === 'job' ? 'batch' : 'apps';
  return ['apis', group, 'v1', ...inNamespace(namespace), `${type}s`];
}

const expressionSchema = v.object({
  key: v.string(),
  operator: v.picklist(['In', 'NotIn', 'Exists', 'DoesNotExist']),
  values: v.nullish(v.array(v.string()), []),
});

const workloadSchema = v.object({
  metadata: v.object({ uid: v.string(), ownerReferences: ownerReferencesSchema }),
  spec: v.object({
    selector: v.object({
      matchLabels: v.nullish(stringMap, {}),
      matchExpressions: v.nullish(v.array(expressionSchema), []),
    }),
  }),
});

type Selector = v.InferOutput<typeof workloadSchema>['spec']['selector'];

/** A selector of an object, as a query has it (apimachinery, labels.Requirement.String). */
export function selectorText({ matchLabels, matchExpressions }: Selector): string {
  const labels = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const expressions = matchExpressions.map(({ key, operator, values }) => {
    switch (operator) {
      case 'In':
        return `${key} in (${values.join(',')})`;
      case 'NotIn':
        return `${key} notin (${values.join(',')})`;
      case 'Exists':
        return key;
      case 'DoesNotExist':
        return `!${key}`;
    }
  });
  return [...labels, ...expressions].join(',');
}
