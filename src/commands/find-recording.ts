import { newestRecord } from '../agent/storage/recorded-generations.ts';
import { findRecordings, type Recording } from '../agent/storage/recordings.ts';
import { hasCode } from '../base/fs-errors.ts';
import type { ReadArguments } from './read-arguments.ts';

/** `others`: earlier Pods of the same name. */
export type FindResult =
  | { readonly kind: 'found'; readonly recording: Recording; readonly others: readonly Recording[] }
  | { readonly kind: 'not-found'; readonly message: string };

/** The recordings in the captures folder; a message if there is no such folder. */
export async function recordingsIn(
  folder: string,
): Promise<readonly Recording[] | { readonly message: string }> {
  try {
    return await findRecordings(folder);
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
    return { message: `the captures folder ${folder} does not exist: set its path with --captures-folder` };
  }
}

/** The recording of that Pod. Of several Pods of one name, the one that was captured last. */
export function choose(recordings: readonly Recording[], pod: ReadArguments['pod']): FindResult {
  const [recording, ...others] = recordings
    .filter(({ uid, namespace, pod: name }) =>
      'uid' in pod ? uid === pod.uid : namespace === pod.namespace && name === pod.name,
    )
    .toSorted((a, b) => startMs(b) - startMs(a));
  if (recording) return { kind: 'found', recording, others };
  const name = 'uid' in pod ? `UID ${pod.uid}` : `${pod.namespace}/${pod.name}`;
  return {
    kind: 'not-found',
    message: `no capture of ${name} on this Node: podcap list shows the captures`,
  };
}

/** The recording in one line, with the option that selects it. */
export function describe({ uid, namespace, pod, generations }: Recording): string {
  const record = newestRecord(generations);
  const times = record ? ` captured ${record.startTime} to ${record.endTime ?? 'now'}` : '';
  return `--uid ${uid}  ${namespace}/${pod}${times}`;
}

/** When its newest capture started, in epoch milliseconds; 0 if that is unknown. */
function startMs({ generations }: Recording): number {
  return Date.parse(newestRecord(generations)?.startTime ?? '') || 0;
}
