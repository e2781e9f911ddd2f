import type { Capture, CaptureRecording } from '../../api/capture.ts';
import { networkUidOf } from '../../kubernetes/pod.ts';
import { isPartial, listCaptures, plainWarning } from '../api/captures-client.ts';
import type { Cluster } from '../api/cluster.ts';
import type { TargetPod } from '../api/targets.ts';
import { CommandFailure } from '../cli-command.ts';

/** What the hub knows, or why it does not say. */
export type KnownCaptures =
  | { readonly kind: 'known'; readonly captures: readonly Capture[]; readonly warnings: readonly string[] }
  | { readonly kind: 'unknown'; readonly why: string };

/** The captures of the namespace. Whoever may not see them, or has no hub, can still change Pods. */
export async function knownCaptures(
  cluster: Cluster,
  labelSelector: string | undefined,
  signal: AbortSignal,
): Promise<KnownCaptures> {
  try {
    const query = { namespace: cluster.namespace, labelSelector };
    return { kind: 'known', ...(await listCaptures(cluster, query, signal)) };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    return { kind: 'unknown', why: error.message };
  }
}

/** Whether what is not in it is not there: agents that do not answer may have more. */
export function isComplete(known: KnownCaptures): boolean {
  return known.kind === 'known' && !isPartial(known.warnings);
}

/** What the hub said of its list, for a person. */
export function warningsOf(known: KnownCaptures): readonly string[] {
  return known.kind === 'known' ? known.warnings.map(plainWarning) : [];
}

/** What is recorded of this very Pod, and not of another one of its name. */
export function recordingOf(
  known: KnownCaptures,
  pod: Pick<TargetPod, 'name' | 'uid' | 'annotations'>,
): CaptureRecording | undefined {
  if (known.kind === 'unknown') return undefined;
  const capture = known.captures.find(({ metadata }) => metadata.name === pod.name);
  return capture?.status.recordings.find(({ uid }) => uid === networkUidOf(pod));
}
