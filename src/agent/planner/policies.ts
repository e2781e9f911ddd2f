import type { Change } from '../../kubernetes/list-watch.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import { captureAnnotation, type Request, type RequestLimits, requestOf } from './annotations.ts';
import { type CapturePolicy, requestBy } from './capture-policy.ts';
import { selects } from './policy-selector.ts';

/** The CapturePolicies that are known. */
export type Policies = {
  readonly byNamespace: ReadonlyMap<string, NamespacePolicies>;
  /**
   * `all`: as the API server lists them. `notYet`: only those that an earlier agent remembers. `forbidden`: the same, and
   * the agent may not list them.
   */
  readonly known: 'all' | 'notYet' | 'forbidden';
  /** Unless all are known: the UIDs of the Pods that an earlier agent captured. The policies select no others. */
  readonly remembered?: ReadonlySet<string>;
};

/** The policies of one namespace. Changed policies make another one, so that each Pod is compared with them once. */
export type NamespacePolicies = {
  /** The oldest first. */
  readonly policies: readonly CapturePolicy[];
  readonly selecting: WeakMap<Pod, readonly CapturePolicy[]>;
};

/** `forbidden`: the agent may not list them. */
export type PolicyChange = Change<CapturePolicy> | { readonly kind: 'forbidden' };

export const noPolicies: Policies = { byNamespace: new Map(), known: 'notYet' };

/** Returns the policies after a change of the list or the watch. Pure. */
export function policiesAfter(before: Policies, change: PolicyChange): Policies {
  switch (change.kind) {
    case 'listed':
      return { byNamespace: indexed(change.items), known: 'all' };
    case 'forbidden':
      // What was listed holds until something else is known.
      return before.known === 'all' ? before : { ...before, known: 'forbidden' };
    case 'applied':
    case 'deleted': {
      const { namespace, name } = change.object;
      const others = (before.byNamespace.get(namespace)?.policies ?? []).filter(
        (policy) => policy.name !== name,
      );
      const policies = change.kind === 'applied' ? [...others, change.object] : others;
      const byNamespace = new Map(before.byNamespace);
      if (policies.length === 0) byNamespace.delete(namespace);
      else byNamespace.set(namespace, ofNamespace(policies));
      return { ...before, byNamespace };
    }
  }
}

/** The policies that an earlier agent has remembered, and the UIDs of the Pods that it captured. */
export function rememberedPolicies(policies: readonly CapturePolicy[], uids: ReadonlySet<string>): Policies {
  return { byNamespace: indexed(policies), known: 'notYet', remembered: uids };
}

function indexed(policies: readonly CapturePolicy[]): Policies['byNamespace'] {
  const groups = Map.groupBy(policies, ({ namespace }) => namespace);
  return new Map([...groups].map(([namespace, group]) => [namespace, ofNamespace(group)]));
}

/** The oldest policy comes first, as in the Gateway API; of the same second, that with the first name. */
function ofNamespace(policies: readonly CapturePolicy[]): NamespacePolicies {
  const sorted = policies.toSorted(
    (a, b) => compare(a.creationTimestamp, b.creationTimestamp) || compare(a.name, b.name),
  );
  return { policies: sorted, selecting: new WeakMap() };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What is asked for a Pod, by its annotations or by a policy. `unknown`: not all policies are known. */
export type PodRequest = (Request | { readonly kind: 'unknown' }) & {
  /** When the policy expires that asks for it, in milliseconds of Unix time. */
  readonly untilUnixMs?: number;
  /** The policy that asks for it, also for what is refused; undefined for an annotation. */
  readonly policy?: string;
};

export type RequestOptions = {
  readonly policies: Policies;
  readonly limits: RequestLimits;
  /** The time in milliseconds of Unix time, by which policies expire. */
  readonly unixMs: number;
};

/**
 * Returns what is asked for a Pod. Its own annotation replaces every policy, even with a value that is refused; otherwise
 * the oldest policy that selects it and has not expired asks, even if that is refused. Pure.
 */
export function requestFor(pod: Pod, { policies, limits, unixMs }: RequestOptions): PodRequest {
  if (pod.annotations[captureAnnotation] !== undefined) return requestOf(pod, limits);
  const selecting = policiesSelecting(pod, policies);
  const policy = selecting.find(({ expiresMs }) => expiresMs === undefined || unixMs < expiresMs);
  if (policy) {
    const { expiresMs: untilUnixMs } = policy;
    return {
      ...requestBy(policy, pod),
      policy: policy.name,
      ...(untilUnixMs !== undefined && { untilUnixMs }),
    };
  }
  // One that has expired asks for nothing any more, whatever else there is.
  return { kind: policies.known === 'all' || selecting.length > 0 ? 'none' : 'unknown' };
}

/** The policies that select a Pod, the oldest first, also those that have expired. */
export function policiesSelecting(pod: Pod, { byNamespace, remembered }: Policies): readonly CapturePolicy[] {
  const found = byNamespace.get(pod.namespace);
  if (!found || (remembered && !remembered.has(pod.uid))) return [];
  const before = found.selecting.get(pod);
  if (before) return before;
  const selecting = found.policies.filter(({ selector }) => selects(selector, pod.labels));
  found.selecting.set(pod, selecting);
  return selecting;
}
