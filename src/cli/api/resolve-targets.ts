import { semaphore } from '../../base/semaphore.ts';
import { exitCodes } from '../../commands/terminal.ts';
import { CommandFailure } from '../cli-command.ts';
import type { Cluster } from './cluster.ts';
import { namespaceFailure } from './missing-namespace.ts';
import { workloadTypeOf } from './parse-targets.ts';
import { listPods, readPod } from './pods-client.ts';
import type { TargetPod, Targets } from './targets.ts';
import { ownershipTest, readWorkload } from './workloads-client.ts';

/**
 * The Pods of the targets in the namespace of the cluster, as they are now: in the order in which they are named, or by
 * name. Of a workload, those that it controls, and no others that have the same labels.
 *
 * @throws CommandFailure if a Pod or the workload does not exist, if there is no Pod at all, or the API server refuses.
 */
export async function resolveTargets(
  cluster: Cluster,
  targets: Targets,
  signal: AbortSignal,
): Promise<readonly TargetPod[]> {
  try {
    const pods = await podsOf(cluster, targets, signal);
    if (pods.length > 0) return pods;
    throw new CommandFailure(noPodsMessage(targets, cluster.namespace), exitCodes.failed);
  } catch (error) {
    throw await namespaceFailure(cluster, error, signal);
  }
}

/** Why there is no Pod of these targets. */
export function noPodsMessage(targets: Targets, namespace: string): string {
  switch (targets.kind) {
    case 'pods':
      return missingMessage(targets.names, namespace);
    case 'workload':
      return `${targets.type}/${targets.name} in namespace ${namespace} has no Pods now`;
    case 'selector':
      return `no Pod in namespace ${namespace} has labels that ${targets.selector} selects`;
  }
}

async function podsOf(
  cluster: Cluster,
  targets: Targets,
  signal: AbortSignal,
): Promise<readonly TargetPod[]> {
  const { namespace } = cluster;
  switch (targets.kind) {
    case 'pods':
      return await namedPods(cluster, targets.names, signal);
    case 'workload': {
      const workload = await readWorkload(cluster, targets, signal);
      const owns = ownershipTest(cluster, workload);
      const pods = await listPods(cluster, workload, signal);
      const owned = await Promise.all(pods.map((pod) => owns(pod, signal)));
      return byName(pods.filter((_, at) => owned[at] === true));
    }
    case 'selector':
      return byName(await listPods(cluster, { namespace, labelSelector: targets.selector }, signal));
  }
}

async function namedPods(
  cluster: Cluster,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly TargetPod[]> {
  const { namespace } = cluster;
  const inTurn = semaphore(atOnce);
  const read = names.map((name) => inTurn(() => readPod(cluster, { namespace, name }, signal), signal));
  const pods = await Promise.all(read);
  const missing = names.filter((_, at) => pods[at] === undefined);
  if (missing.length > 0) throw new CommandFailure(missingMessage(missing, namespace), exitCodes.failed);
  return pods.filter((pod) => pod !== undefined);
}

const atOnce = 8;

function missingMessage(names: readonly string[], namespace: string): string {
  const what = names.length === 1 ? `there is no Pod ${names[0]}` : `there are no Pods ${names.join(', ')}`;
  const [type, name] = names;
  const isWorkload = type !== undefined && workloadTypeOf(type) !== undefined;
  const hint = isWorkload ? `; write TYPE/NAME as one word, such as ${type}/${name ?? 'web'}` : '';
  return `${what} in namespace ${namespace}: kubectl get pods -n ${namespace} lists those that there are${hint}`;
}

function byName(pods: readonly TargetPod[]): readonly TargetPod[] {
  return pods.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
