import type { Pod } from '../../kubernetes/pod.ts';
import type { CapturePolicy } from './capture-policy.ts';
import { selects } from './policy-selector.ts';

/**
 * Which policies of a namespace select each of its Pods, as far as that was asked. It outlives changes of the policies:
 * each changed policy costs one comparison per Pod, not one per Pod and policy, and anyone may change policies often.
 */
export type Selections = {
  readonly ofPod: WeakMap<Pod, Selection>;
  /** The same change applies to all Pods. No more than one is kept: a chain of them would keep every version alive. */
  newest: { readonly from: Sorted; readonly to: Sorted; readonly change: PoliciesChange } | undefined;
};

/** The oldest policy first. */
type Sorted = readonly CapturePolicy[];
type Selection = { readonly among: Sorted; readonly selecting: Sorted };

/** How one set of policies differs from another, as far as it matters for which Pods they select. */
type PoliciesChange = {
  /** Those that changed or are gone. The new one is there if it selects the same Pods, in the same place. */
  readonly replaced: ReadonlyMap<CapturePolicy, CapturePolicy | undefined>;
  readonly toCompare: readonly CapturePolicy[];
};

export function noSelections(): Selections {
  return { ofPod: new WeakMap(), newest: undefined };
}

/** The oldest policy comes first, as in the Gateway API; of the same second, that with the first name. */
export function olderFirst(a: CapturePolicy, b: CapturePolicy): number {
  return compare(a.creationTimestamp, b.creationTimestamp) || compare(a.name, b.name);
}

/** Those of some policies that select a Pod, the oldest first. */
export function selectingAmong(among: Sorted, pod: Pod, selections: Selections): Sorted {
  const { ofPod } = selections;
  const before = ofPod.get(pod);
  if (before?.among === among) return before.selecting;
  const selecting = before
    ? selectingAfter(before.selecting, changeTo(among, before.among, selections), pod)
    : selectingOf(among, pod);
  ofPod.set(pod, { among, selecting });
  return selecting;
}

function selectingOf(policies: Sorted, pod: Pod): Sorted {
  return policies.filter(({ selector }) => selects(selector, pod.labels));
}

function selectingAfter(before: Sorted, { replaced, toCompare }: PoliciesChange, pod: Pod): Sorted {
  const kept = before.some((policy) => replaced.has(policy))
    ? before.flatMap((policy) => (replaced.has(policy) ? (replaced.get(policy) ?? []) : policy))
    : before;
  const found = selectingOf(toCompare, pod);
  return found.length === 0 ? kept : [...kept, ...found].toSorted(olderFirst);
}

function changeTo(to: Sorted, from: Sorted, selections: Selections): PoliciesChange {
  const { newest } = selections;
  if (newest?.from === from && newest.to === to) return newest.change;
  const change = changeBetween(from, to);
  selections.newest = { from, to, change };
  return change;
}

function changeBetween(from: Sorted, to: Sorted): PoliciesChange {
  const next = new Map(to.map((policy) => [policy.name, policy]));
  const replaced = new Map<CapturePolicy, CapturePolicy | undefined>();
  const kept = new Set<CapturePolicy>();
  for (const policy of from) {
    const now = next.get(policy.name);
    const isAlike = now && now.selector === policy.selector && olderFirst(now, policy) === 0;
    if (isAlike) kept.add(now);
    if (now !== policy) replaced.set(policy, isAlike ? now : undefined);
  }
  return { replaced, toCompare: to.filter((policy) => !kept.has(policy)) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
