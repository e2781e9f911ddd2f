import type { Change } from '../../kubernetes/list-watch.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import type { KnownPod } from './plan.ts';

/** The Pods of this Node by UID: a name can be used again, a UID cannot. */
export type Pods = ReadonlyMap<string, KnownPod>;

/** The Pods after a change. Pure; remembers of each how it is known, because a list can lie in the past. */
export function podsAfter(before: Pods, change: Change<Pod>): Pods {
  switch (change.kind) {
    case 'listed':
      return new Map(change.items.map((pod) => [pod.uid, asListed(before.get(pod.uid), pod)]));
    case 'applied':
      return new Map(before).set(change.object.uid, { pod: change.object, evidence: 'watched' });
    case 'deleted': {
      const after = new Map(before);
      after.delete(change.object.uid);
      return after;
    }
  }
}

/** The same version as a watch event's is as good as it. */
function asListed(before: KnownPod | undefined, pod: Pod): KnownPod {
  return before?.pod.resourceVersion === pod.resourceVersion ? before : { pod, evidence: 'listed' };
}
