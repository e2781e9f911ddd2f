import type { Pod } from '../../kubernetes/pod.ts';
import type { PodName } from '../storage/capture-folders.ts';
import { type RequestLimits, requestOf } from './annotations.ts';
import { type Decision, hasEnded } from './plan.ts';

/**
 * Returns whether the captures of a Pod may be deleted for that reason, after reading the Pod itself: a list can be
 * stale, and the watch that continues from it repeats what is past. `read` returns undefined for a Pod that does not
 * exist, and throws when that cannot be known.
 */
export async function mayDelete(
  { pod, why }: Pick<Decision & { kind: 'delete' }, 'pod' | 'why'>,
  limits: RequestLimits,
  read: (name: Pick<PodName, 'namespace' | 'name'>) => Promise<Pod | undefined>,
): Promise<boolean> {
  const found = await read({ namespace: pod.namespace, name: pod.name });
  const current = found?.uid === pod.uid ? found : undefined;
  switch (why) {
    case 'AnnotationRemoved':
      // A Pod that no longer exists has ended: its files stay for the retention time.
      return current !== undefined && requestOf(current, limits).kind === 'none';
    case 'RetentionOver':
    case 'Evicted':
      return current === undefined || hasEnded(current);
  }
}
