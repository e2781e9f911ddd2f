import { semaphore } from '../../base/semaphore.ts';
import type { Cluster } from '../api/cluster.ts';
import { patchPodAnnotations } from '../api/pods-client.ts';
import type { TargetPod } from '../api/targets.ts';
import { CommandFailure } from '../cli-command.ts';
import type { AnnotationChanges } from './request-change.ts';

export type PodPatch = {
  readonly pod: TargetPod;
  readonly annotations: AnnotationChanges;
  /** Only if the Pod is still as it was read. */
  readonly isAsRead?: true;
};

/** Why a Pod was not changed. */
export type PatchRefusal = {
  readonly message: string;
  /** By RBAC: the user may not change Pods at all. */
  readonly isForbidden: boolean;
  /** It is not as it was read any more. */
  readonly isConflict: boolean;
};

const atOnce = 8;

/** Changes each Pod with one request, some at a time. Returns those that were not changed, by UID. */
export async function patchPods(
  cluster: Cluster,
  patches: readonly PodPatch[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, PatchRefusal>> {
  const inTurn = semaphore(atOnce);
  const refusals = new Map<string, PatchRefusal>();
  await Promise.all(
    patches.map((patch) =>
      inTurn(async () => {
        const refusal = await patchPod(cluster, patch, signal);
        if (refusal) refusals.set(patch.pod.uid, refusal);
      }, signal),
    ),
  );
  return refusals;
}

async function patchPod(
  cluster: Cluster,
  { pod, annotations, isAsRead }: PodPatch,
  signal: AbortSignal,
): Promise<PatchRefusal | undefined> {
  try {
    const { namespace, name, uid, resourceVersion } = pod;
    const guarded = { namespace, name, uid, ...(isAsRead && { resourceVersion }) };
    const answer = await patchPodAnnotations(cluster, guarded, annotations, signal);
    if (answer.kind === 'patched') return undefined;
    const { message, reason } = answer;
    // Admission policies answer Forbidden as well, in words of their own.
    return {
      message,
      isForbidden: reason === 'Forbidden' && /cannot patch resource "pods"/.test(message),
      isConflict: reason === 'Conflict',
    };
  } catch (error) {
    // Other Pods may have been changed: what became of each is said.
    if (!(error instanceof CommandFailure)) throw error;
    return { message: error.message, isForbidden: false, isConflict: false };
  }
}
