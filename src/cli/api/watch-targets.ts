import { abortableSleep } from '../../kubernetes/abortable-sleep.ts';
import { apiPath } from './api-paths.ts';
import type { Cluster } from './cluster.ts';
import { type FollowedCollection, type FollowOptions, followObjects } from './follow-objects.ts';
import { type OwnedPod, parsePodObject, podsSegments } from './pods-client.ts';
import type { TargetPod, Targets } from './targets.ts';
import { UnreachableServer } from './unreachable-server.ts';
import { type OwnershipTest, ownershipTest, readWorkload } from './workloads-client.ts';

/** A Pod of the targets that has come or has changed, or is gone. One that was created again has another UID. */
export type WatchedTarget = { readonly kind: 'set' | 'deleted'; readonly pod: TargetPod };

/**
 * The Pods of the targets in the namespace of the cluster: all that there are at first, then each that comes, changes or
 * goes. None is fine. Ends when the signal aborts, or throws its reason.
 *
 * @throws CommandFailure if the workload does not exist, or the API server refuses.
 */
export async function* watchTargets(
  cluster: Cluster,
  targets: Targets,
  signal: AbortSignal,
  options: FollowOptions = {},
): AsyncGenerator<WatchedTarget, void> {
  const { selection, isTarget } = await selectionOf(cluster, targets, signal);
  const path = apiPath(podsSegments(cluster.namespace));
  const collection: FollowedCollection<OwnedPod> = {
    path,
    ...selection,
    parse: (object) => parsePodObject(object, path),
    keyOf: ({ uid }) => uid,
  };
  const shown = new Set<string>();
  for await (const { kind, object: pod } of followObjects(cluster, collection, signal, options)) {
    const isShown = kind === 'set' && (await isTarget(pod, signal));
    if (isShown) shown.add(pod.uid);
    // Its labels or its controller may have changed.
    else if (!shown.delete(pod.uid)) continue;
    yield { kind: isShown ? 'set' : 'deleted', pod };
  }
}

type PodSelection = {
  readonly selection: { readonly labelSelector?: string; readonly fieldSelector?: string };
  readonly isTarget: OwnershipTest;
};

async function selectionOf(cluster: Cluster, targets: Targets, signal: AbortSignal): Promise<PodSelection> {
  switch (targets.kind) {
    case 'pods': {
      const names = new Set(targets.names);
      const [name] = targets.names;
      // A watch has one field selector at most; with several names, it is about all Pods of the namespace.
      const selection = names.size === 1 ? { fieldSelector: `metadata.name=${name}` } : {};
      return { selection, isTarget: (pod) => Promise.resolve(names.has(pod.name)) };
    }
    case 'workload': {
      const workload = await readWorkload(cluster, targets, signal);
      const { labelSelector } = workload;
      return { selection: { labelSelector }, isTarget: persistent(ownershipTest(cluster, workload)) };
    }
    case 'selector':
      return { selection: { labelSelector: targets.selector }, isTarget: () => Promise.resolve(true) };
  }
}

/** Asks again until the API server can be reached: a Pod that was taken for another's would never be shown. */
function persistent(owns: OwnershipTest): OwnershipTest {
  return async (pod, signal) => {
    for (;;) {
      try {
        return await owns(pod, signal);
      } catch (error) {
        if (!(error instanceof UnreachableServer)) throw error;
        await abortableSleep(retryMs, signal);
        signal.throwIfAborted();
      }
    }
  };
}

const retryMs = 1_000;
