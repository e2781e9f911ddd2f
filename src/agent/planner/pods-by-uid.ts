import type { Change } from '../../kubernetes/list-watch.ts';
import type { Pod } from '../../kubernetes/pod.ts';

/** The Pods of this Node by UID: a name can be used again, a UID cannot. */
export type PodsByUid = ReadonlyMap<string, Pod>;

/** The Pods after a change. Pure. */
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
