import type { Pod } from '../../kubernetes/pod.ts';
import type { PodName } from '../storage/capture-folders.ts';
import { type RequestLimits, requestOf } from './annotations.ts';
import type { Decision } from './plan.ts';

/**
 * Whether the captures of a Pod may be deleted, by what the API server says of the Pod itself: a list can lie in the
 * past, and the watch that goes on from it repeats what was. `read` gives undefined for a Pod that is not there, and
 * throws when that cannot be known.
 */
export async function mayDelete(
  { pod, why }: Pick<Decision & { kind: 'delete' }, 'pod' | 'why'>,
  limits: RequestLimits,
  read: (name: Pick<PodName, 'namespace' | 'name'>) => Promise<Pod | undefined>,
): Promise<boolean> {
  const now = await read({ namespace: pod.namespace, name: pod.name });
  const isThere = now?.uid === pod.uid;
  switch (why) {
    case 'AnnotationRemoved':
      // A Pod that is not there has ended: that means grace.
      return isThere && requestOf(now, limits).kind === 'none';
    case 'RetentionOver':
    case 'Evicted':
      return !isThere || now.phase === 'Succeeded' || now.phase === 'Failed';
  }
}
