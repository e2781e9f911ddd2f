import { findRecordings, newestRecord, type Recording } from '../agent/storage/recordings.ts';
import { hasCode } from '../base/fs-errors.ts';
import type { ReadArguments } from './read-arguments.ts';

export type FindResult =
  | { readonly kind: 'found'; readonly capture: Recording; readonly others: readonly Recording[] }
  | { readonly kind: 'not-found'; readonly message: string };

/** The captures of this Node; a message where there is no such folder. */
export async function recordingsIn(
  folder: string,
): Promise<readonly Recording[] | { readonly message: string }> {
  try {
    return await findRecordings(folder);
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
    return { message: `${folder} is no folder of captures: --captures-folder names another` };
  }
}

/** Of several Pods of one name the one that was captured last, and the others. */
export function choose(captures: readonly Recording[], pod: ReadArguments['pod']): FindResult {
  const matching = captures
    .filter((capture) =>
      'uid' in pod
        ? capture.uid === pod.uid
        : capture.namespace === pod.namespace && capture.pod === pod.name,
    )
    .toSorted((a, b) => begun(b) - begun(a));
  const [capture, ...others] = matching;
  if (capture) return { kind: 'found', capture, others };
  const name = 'uid' in pod ? `UID ${pod.uid}` : `${pod.namespace}/${pod.name}`;
  return { kind: 'not-found', message: `nothing is kept of ${name} on this Node: podcap list says of which` };
}

/** One line for each, for a person who has to choose. */
export function describe(capture: Recording): string {
  const record = newestRecord(capture.generations);
  const since = record ? ` captured ${record.startTime} to ${record.endTime ?? 'now'}` : '';
  return `--uid ${capture.uid}  ${capture.namespace}/${capture.pod}${since}`;
}

function begun({ generations }: Recording): number {
  return Date.parse(newestRecord(generations)?.startTime ?? '') || 0;
}
