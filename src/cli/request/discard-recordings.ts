import { semaphore } from '../../base/semaphore.ts';
import { requestObject } from '../api/api-answer.ts';
import { apiPath, capturesSegments } from '../api/api-paths.ts';
import type { Cluster } from '../api/cluster.ts';
import { CommandFailure } from '../cli-command.ts';
import type { DiscardItem } from './discard-plan.ts';

type LeftRecording = Extract<DiscardItem, { readonly kind: 'recording' }>;

const atOnce = 4;

/** Deletes recordings of Pods that are captured no more. Returns why some were not, by the UID of the recording. */
export async function discardRecordings(
  cluster: Cluster,
  items: readonly LeftRecording[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const inTurn = semaphore(atOnce);
  const failures = new Map<string, string>();
  await Promise.all(
    items.map((item) =>
      inTurn(async () => {
        const failure = await discardRecording(cluster, item, signal);
        if (failure !== undefined) failures.set(item.recording.uid, failure);
      }, signal),
    ),
  );
  return failures;
}

async function discardRecording(
  cluster: Cluster,
  { pod, recording }: LeftRecording,
  signal: AbortSignal,
): Promise<string | undefined> {
  const path = apiPath([...capturesSegments(cluster.namespace), pod], { uid: recording.uid });
  try {
    const answer = await requestObject(cluster, { method: 'DELETE', path, signal });
    if (answer.kind === 'object' || answer.reason === 'NotFound') return undefined;
    const who =
      answer.reason === 'Forbidden'
        ? ': that needs the verb delete on captures.podcap.dev, which none of the roles of Podcap has; without it, the retention time of its Node deletes it'
        : '';
    return `${answer.message}${who}`;
  } catch (error) {
    // Others may have been deleted: what became of each is said.
    if (!(error instanceof CommandFailure)) throw error;
    return error.message;
  }
}
