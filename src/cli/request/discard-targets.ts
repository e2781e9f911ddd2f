import type { Capture } from '../../api/capture.ts';
import { semaphore } from '../../base/semaphore.ts';
import type { Cluster } from '../api/cluster.ts';
import { listPods, type OwnedPod, readPod } from '../api/pods-client.ts';
import type { Targets } from '../api/targets.ts';
import { ownershipTest, readWorkload } from '../api/workloads-client.ts';
import type { DiscardTarget } from './discard-plan.ts';
import { type KnownCaptures, knownCaptures } from './known-captures.ts';

/** The Pods that are there, and those of which only recordings are left. */
export type DiscardTargets = {
  readonly targets: readonly OwnedTarget[];
  readonly known: KnownCaptures;
  /** Names of Pods that are gone, and may have been of the workload, or of another one with the same labels. */
  readonly notOwned: readonly string[];
};

type OwnedTarget = DiscardTarget & { readonly pod: OwnedPod | undefined };

/** Finds them, as they are now. Throws a CommandFailure if the API server refuses. */
export async function discardTargets(
  targets: Targets,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<DiscardTargets> {
  switch (targets.kind) {
    case 'pods': {
      const known = await knownCaptures(cluster, undefined, signal);
      const pods = await namedPods(targets.names, cluster, signal);
      return {
        known,
        notOwned: [],
        targets: targets.names.map((name, at) => targetOf(name, pods[at], known)),
      };
    }
    case 'selector':
      return await labelledTargets(targets.selector, cluster, signal);
    case 'workload': {
      const workload = await readWorkload(cluster, targets, signal);
      const { known, targets: all } = await labelledTargets(workload.labelSelector, cluster, signal);
      const owns = ownershipTest(cluster, workload);
      const isOwn = await Promise.all(all.map(async ({ pod }) => pod && (await owns(pod, signal))));
      return {
        known,
        targets: all.filter((_, at) => isOwn[at] === true),
        notOwned: all.filter(({ pod }) => !pod).map(({ name }) => name),
      };
    }
  }
}

const atOnce = 8;

async function namedPods(names: readonly string[], cluster: Cluster, signal: AbortSignal) {
  const inTurn = semaphore(atOnce);
  const { namespace } = cluster;
  return await Promise.all(
    names.map((name) => inTurn(() => readPod(cluster, { namespace, name }, signal), signal)),
  );
}

async function labelledTargets(
  labelSelector: string,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<DiscardTargets> {
  const [pods, known] = await Promise.all([
    listPods(cluster, { namespace: cluster.namespace, labelSelector }, signal),
    knownCaptures(cluster, labelSelector, signal),
  ]);
  const named = new Set(pods.map(({ name }) => name));
  const others = capturesIn(known)
    .map(({ metadata }) => metadata.name)
    .filter((name) => !named.has(name));
  // A Pod whose labels have changed is none of them any more.
  const present = await namedPods(others, cluster, signal);
  const gone = others.filter((_, at) => present[at] === undefined);
  const targets = [
    ...pods.map((pod) => targetOf(pod.name, pod, known)),
    ...gone.map((name) => targetOf(name, undefined, known)),
  ];
  return { known, notOwned: [], targets: targets.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

function targetOf(name: string, pod: OwnedPod | undefined, known: KnownCaptures): OwnedTarget {
  return { name, pod, capture: capturesIn(known).find(({ metadata }) => metadata.name === name) };
}

function capturesIn(known: KnownCaptures): readonly Capture[] {
  return known.kind === 'known' ? known.captures : [];
}
