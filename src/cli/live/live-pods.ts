import { semaphore } from '../../base/semaphore.ts';
import { exitCodes } from '../../commands/terminal.ts';
import type { Cluster } from '../api/cluster.ts';
import { namespaceFailure } from '../api/missing-namespace.ts';
import { readPod } from '../api/pods-client.ts';
import { noPodsMessage, resolveTargets } from '../api/resolve-targets.ts';
import type { TargetPod, Targets } from '../api/targets.ts';
import { UnreachableServer } from '../api/unreachable-server.ts';
import { type WatchedTarget, watchTargets } from '../api/watch-targets.ts';
import { CommandFailure } from '../cli-command.ts';
import type { LivePod } from './live-taps.ts';
import type { PodChange } from './run-live.ts';

/** The Pods of the targets that run now. Throws CommandFailure if there is none. */
export async function livePods(
  cluster: Cluster,
  targets: Targets,
  signal: AbortSignal,
): Promise<readonly LivePod[]> {
  if (targets.kind === 'pods') return await namedPods(cluster, targets.names, signal);
  const pods = await resolveTargets(cluster, targets, signal);
  return pods.filter(isWatchable).map(livePod);
}

/** Pods that come and go, if others can come. Throws the signal's reason. */
export async function* podChanges(
  cluster: Cluster,
  targets: Targets,
  signal: AbortSignal,
): AsyncGenerator<PodChange, void> {
  for await (const watched of watchTargets(cluster, targets, signal)) {
    const change = podChange(watched);
    if (change) yield change;
  }
}

/** What a change of a Pod is for its tap; undefined while it does not run yet. Pure. */
export function podChange({ kind, pod }: WatchedTarget): PodChange | undefined {
  if (kind === 'deleted' || pod.phase === 'Succeeded' || pod.phase === 'Failed')
    return { kind: 'left', key: pod.uid };
  return isWatchable(pod) ? { kind: 'came', pod: livePod(pod) } : undefined;
}

function isWatchable({ phase, node }: TargetPod): boolean {
  return phase === 'Running' && node !== undefined;
}

function livePod({ uid, namespace, name, node }: TargetPod): LivePod {
  return { key: uid, namespace, name, node };
}

/** Whoever may tap may not be allowed to see Pods: then the hub looks for them. */
async function namedPods(
  cluster: Cluster,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly LivePod[]> {
  const inTurn = semaphore(atOnce);
  const { namespace } = cluster;
  const found = await Promise.all(
    names.map((name) => inTurn(() => seenPod(cluster, { namespace, name }, signal), signal)),
  );
  const missing = names.filter((_, at) => found[at] === 'missing');
  if (missing.length > 0) {
    const message = noPodsMessage({ kind: 'pods', names: missing }, namespace);
    throw await namespaceFailure(cluster, new CommandFailure(message, exitCodes.failed), signal);
  }
  return found.filter((pod) => pod !== 'missing');
}

const atOnce = 8;

async function seenPod(
  cluster: Cluster,
  { namespace, name }: Pick<LivePod, 'namespace' | 'name'>,
  signal: AbortSignal,
): Promise<LivePod | 'missing'> {
  try {
    const pod = await readPod(cluster, { namespace, name }, signal);
    return pod ? livePod(pod) : 'missing';
  } catch (error) {
    if (!(error instanceof CommandFailure) || error instanceof UnreachableServer) throw error;
    return { key: name, namespace, name, node: undefined };
  }
}
