import { type Capture, findCaptures, newestRecord } from '../agent/storage/recordings.ts';
import { hasCode } from '../base/fs-errors.ts';
import type { ReadArguments } from './read-arguments.ts';

export type Found =
  | { readonly kind: 'found'; readonly capture: Capture; readonly others: readonly Capture[] }
  | { readonly kind: 'not-found'; readonly message: string };

/** The captures of this Node; a message where there is no such folder. */
export async function capturesIn(folder: string): Promise<readonly Capture[] | { readonly message: string }> {
  try {
    return await findCaptures(folder);
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
    return { message: `${folder} is no folder of captures: --captures-folder names another` };
  }
}

/** Of several Pods of one name the one that was captured last, and the others. */
export function choose(captures: readonly Capture[], pod: ReadArguments['pod']): Found {
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
export function describe(capture: Capture): string {
  const record = newestRecord(capture.generations);
  const since = record ? ` captured ${record.begin} to ${record.end ?? 'now'}` : '';
  return `--uid ${capture.uid}  ${capture.namespace}/${capture.pod}${since}`;
}

function begun({ generations }: Capture): number {
  return Date.parse(newestRecord(generations)?.begin ?? '') || 0;
}
