import { isDeepStrictEqual } from 'node:util';
import type { Change } from '../../kubernetes/list-watch.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import { captureAnnotation, type Request, type RequestLimits, requestOf } from './annotations.ts';
import { type CapturePolicy, requestBy } from './capture-policy.ts';
import { noSelections, olderFirst, type Selections, selectingAmong } from './selections.ts';

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

/** The policies of one namespace. */
export type NamespacePolicies = {
  /** The oldest first. */
  readonly policies: readonly CapturePolicy[];
  /** The oldest of them. The others select no Pod. */
  readonly counting: readonly CapturePolicy[];
  /** Goes on to what a change makes of these policies. */
  readonly selections: Selections;
};

/** Nobody needs more, and each Pod is compared with all of them: they would take the agent's time. */
export const mostCountingPolicies = 1_000;

/** `forbidden`: the agent may not list them. */
export type PolicyChange = Change<CapturePolicy> | { readonly kind: 'forbidden' };

export const noPolicies: Policies = { byNamespace: new Map(), known: 'notYet' };

/** Returns the policies after a change of the list or the watch: the same object if nothing that is read changed. Pure. */
export function policiesAfter(before: Policies, change: PolicyChange): Policies {
  switch (change.kind) {
    case 'listed':
      return listedAfter(before, change.items);
    case 'forbidden':
      // What was listed holds until something else is known.
      return before.known === 'all' ? before : { ...before, known: 'forbidden' };
    case 'applied':
    case 'deleted': {
      const { namespace, name } = change.object;
      const found = before.byNamespace.get(namespace);
      const others = (found?.policies ?? []).filter((policy) => policy.name !== name);
      const policies = change.kind === 'applied' ? [...others, change.object] : others;
      const next = policies.length === 0 ? undefined : ofNamespace(policies, found);
      if (next === found) return before;
      const byNamespace = new Map(before.byNamespace);
      if (next) byNamespace.set(namespace, next);
      else byNamespace.delete(namespace);
      return { ...before, byNamespace };
    }
  }
}

/** The policies that an earlier agent has remembered, and the UIDs of the Pods that it captured. */
export function rememberedPolicies(policies: readonly CapturePolicy[], uids: ReadonlySet<string>): Policies {
  return { byNamespace: indexed(policies, new Map()), known: 'notYet', remembered: uids };
}

/** The namespaces with more policies than count. */
export function crowdedNamespaces({ byNamespace }: Policies): readonly string[] {
  return [...byNamespace].flatMap(([namespace, { policies, counting }]) =>
    policies.length > counting.length ? namespace : [],
  );
}

function listedAfter(before: Policies, items: readonly CapturePolicy[]): Policies {
  const byNamespace = indexed(items, before.byNamespace);
  const isSame =
    before.known === 'all' &&
    byNamespace.size === before.byNamespace.size &&
    [...byNamespace].every(([namespace, policies]) => before.byNamespace.get(namespace) === policies);
  return isSame ? before : { byNamespace, known: 'all' };
}

function indexed(
  policies: readonly CapturePolicy[],
  before: Policies['byNamespace'],
): Policies['byNamespace'] {
  const groups = Map.groupBy(policies, ({ namespace }) => namespace);
  return new Map(
    [...groups].map(([namespace, group]) => [namespace, ofNamespace(group, before.get(namespace))]),
  );
}

function ofNamespace(
  policies: readonly CapturePolicy[],
  before: NamespacePolicies | undefined,
): NamespacePolicies {
  const known = new Map(before?.policies.map((policy) => [policy.name, policy]));
  const sorted = policies.map((policy) => asBefore(policy, known.get(policy.name))).toSorted(olderFirst);
  if (before && areSame(sorted, before.policies)) return before;
  const counting = sorted.slice(0, mostCountingPolicies);
  return {
    policies: sorted,
    counting: before && areSame(counting, before.counting) ? before.counting : counting,
    selections: before?.selections ?? noSelections(),
  };
}

/** What did not change stays the same object: a policy that has the same fields, or else a selector. */
function asBefore(policy: CapturePolicy, before: CapturePolicy | undefined): CapturePolicy {
  if (!before || policy === before) return policy;
  if (isDeepStrictEqual(policy, before)) return before;
  return isDeepStrictEqual(policy.selector, before.selector)
    ? { ...policy, selector: before.selector }
    : policy;
}

function areSame<T>(some: readonly T[], others: readonly T[]): boolean {
  return some.length === others.length && some.every((each, i) => each === others[i]);
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
  const policy = firstValid(selecting, unixMs);
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

/** The policy that asks for the capture of a Pod: undefined for one with an annotation of its own. */
export function policyFor(
  pod: Pod,
  { policies, unixMs }: Pick<RequestOptions, 'policies' | 'unixMs'>,
): CapturePolicy | undefined {
  if (pod.annotations[captureAnnotation] !== undefined) return undefined;
  return firstValid(policiesSelecting(pod, policies), unixMs);
}

function firstValid(selecting: readonly CapturePolicy[], unixMs: number): CapturePolicy | undefined {
  return selecting.find(({ expiresMs }) => expiresMs === undefined || unixMs < expiresMs);
}

/** The policies that select a Pod, the oldest first, also those that have expired. */
export function policiesSelecting(pod: Pod, { byNamespace, remembered }: Policies): readonly CapturePolicy[] {
  const found = byNamespace.get(pod.namespace);
  if (!found || (remembered && !remembered.has(pod.uid))) return [];
  return selectingAmong(found.counting, pod, found.selections);
}
