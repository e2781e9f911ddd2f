import type { Change } from '../../kubernetes/list-watch.ts';
import type { Pod } from '../../kubernetes/pod.ts';

/** The Pods of this Node by UID: a name can be reused, a UID cannot. */
export type PodsByUid = ReadonlyMap<string, Pod>;

/** Returns the Pods after a change of the list or the watch. Pure. */
export function podsAfter(before: PodsByUid, change: Change<Pod>): PodsByUid {
  switch (change.kind) {
    case 'listed':
      return new Map(change.items.map((pod) => [pod.uid, pod]));
    case 'applied':
      return new Map(before).set(change.object.uid, change.object);
    case 'deleted': {
      const after = new Map(before);
      after.delete(change.object.uid);
      return after;
    }
  }
}
