import type { Pod } from '../../kubernetes/pod.ts';
import type { PodName } from '../storage/capture-folders.ts';
import type { RequestLimits } from './annotations.ts';
import type { CapturePolicy } from './capture-policy.ts';
import type { Decision } from './decisions.ts';
import { hasEnded } from './plan.ts';
import { noPolicies, policiesAfter, requestFor } from './policies.ts';

/** What the API server says at this moment, never a cache. Both throw when that cannot be known. */
export type FreshState = {
  /** Undefined for a Pod that does not exist. */
  readonly readPod: (name: Pick<PodName, 'namespace' | 'name'>) => Promise<Pod | undefined>;
  /** The policies of a namespace; `forbidden` if the agent may not list them. */
  readonly listPolicies: (namespace: string) => Promise<readonly CapturePolicy[] | 'forbidden'>;
  /** The time in milliseconds of Unix time, by which policies expire. */
  readonly unixMs: () => number;
};

/**
 * Returns whether the captures of a Pod may be deleted for that reason, after reading the Pod itself and the policies of
 * its namespace: a list can be stale, and the watch that continues from it repeats what is past. Throws when that cannot
 * be known.
 */
export async function mayDelete(
  { pod, why }: Pick<Decision & { kind: 'delete' }, 'pod' | 'why'>,
  limits: RequestLimits,
  fresh: FreshState,
): Promise<boolean> {
  const found = await fresh.readPod({ namespace: pod.namespace, name: pod.name });
  const current = found?.uid === pod.uid ? found : undefined;
  const isOver = current === undefined || hasEnded(current);
  switch (why) {
    case 'AnnotationRemoved':
      // A Pod that no longer exists has ended: its files stay for the retention time. An agent that may not list policies
      // carries none out.
      return current !== undefined && ['none', 'unknown'].includes(await requestNow(current, limits, fresh));
    case 'RetentionOver':
    case 'Evicted':
    case 'Discarded':
      return isOver || (await requestNow(current, limits, fresh)) === 'none';
  }
}

/** What is asked for the Pod; `unknown` if the agent may not list policies. */
async function requestNow(pod: Pod, limits: RequestLimits, fresh: FreshState) {
  const own = requestFor(pod, { policies: noPolicies, limits, unixMs: fresh.unixMs() });
  if (own.kind !== 'unknown') return own.kind;
  const listed = await fresh.listPolicies(pod.namespace);
  if (listed === 'forbidden') return own.kind;
  throwUnreadable(listed, fresh.unixMs());
  const policies = policiesAfter(noPolicies, { kind: 'listed', items: listed });
  return requestFor(pod, { policies, limits, unixMs: fresh.unixMs() }).kind;
}

/** One whose selector cannot be read may select the Pod, until it expires. */
function throwUnreadable(policies: readonly CapturePolicy[], unixMs: number): void {
  for (const { name, selectorProblem, expiresMs = Number.POSITIVE_INFINITY } of policies)
    if (selectorProblem !== undefined && unixMs < expiresMs)
      throw new Error(`CapturePolicy ${name}: ${selectorProblem}`);
}
