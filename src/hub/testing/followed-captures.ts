import { until } from '../../base/until.ts';
import type { CaptureChange, CaptureScope, Captures, WatchStart } from '../captures/captures.ts';

/** A watch that is read as fast as possible. */
export type FollowedCaptures = AsyncDisposable & {
  /** Waits for that many more changes, and returns all that have come: such as `added checkout Capturing`. */
  readonly next: (count: number) => Promise<readonly string[]>;
  /** The resource versions of all changes so far. */
  readonly versions: readonly string[];
};

/** Reads a watch until it is disposed of. */
export function followCaptures(
  captures: Pick<Captures, 'watch'>,
  since: WatchStart,
  scope: CaptureScope = { namespace: undefined, name: undefined },
): FollowedCaptures {
  const ending = new AbortController();
  const seen: string[] = [];
  const versions: string[] = [];
  let told = 0;
  const reading = (async () => {
    for await (const part of captures.watch(scope, since, ending.signal)) {
      for (const change of part) {
        seen.push(textOf(change));
        versions.push(
          change.kind === 'bookmark' ? change.resourceVersion : change.capture.metadata.resourceVersion,
        );
      }
    }
  })();
  return {
    versions,
    async next(count) {
      await until(() => seen.length >= told + count, { what: `${count} changes after ${seen.join(', ')}` });
      const changes = seen.slice(told);
      told = seen.length;
      return changes;
    },
    async [Symbol.asyncDispose]() {
      ending.abort();
      await reading;
    },
  };
}

/** Such as `added checkout Capturing`. */
export function textOf(change: CaptureChange): string {
  if (change.kind === 'bookmark') return change.isInitial ? 'initial bookmark' : 'bookmark';
  const { metadata, status } = change.capture;
  return `${change.kind} ${metadata.name} ${status.recordings[0]?.phase ?? ''}`;
}
