import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Capture } from '../../api/capture.ts';
import { wakeup } from '../../base/wakeup.ts';
import { type CaptureEntry, isInScope } from './capture-entry.ts';
import type { CaptureChange, CaptureScope, ObjectChange } from './captures.ts';
import { type PendingChanges, pendingChanges } from './pending-changes.ts';

/** The watches that are open. */
export type CaptureWatches = {
  readonly count: () => number;
  /** The entry has changed, been added or been deleted. */
  readonly notify: (entry: CaptureEntry) => void;
  readonly open: (
    start: WatchBeginning,
    signal: AbortSignal,
  ) => AsyncGenerator<readonly CaptureChange[], void, undefined>;
};

export type WatchBeginning = {
  readonly scope: CaptureScope;
  /** What is sent first, when the watch is first read: by version, unless it is `isFromNow`. */
  readonly initial: () => readonly CaptureEntry[];
  /** Entries that are younger are `added`; all of them if undefined. */
  readonly knownSince: number | undefined;
  /** Whether the bookmark after `initial` ends the initial events. */
  readonly isFromNow: boolean;
};

export type CaptureWatchesOptions = {
  /** The present version, as clients get it. */
  readonly version: () => string;
  readonly bookmarkEveryMs: number;
  /** Of all watches together. */
  readonly mostPending?: number;
};

/** The most of a part. After each, others get their turn: a watch of everything has 10,000 changes to send at once. */
const changesInOneGo = 128;

/**
 * Watches, each with a queue of the entries that have changed and that it has not sent yet. An entry is in it once, as it
 * was when watches were last told of it. The queues share a bound, and a watch that loses its own throws a WatchOverrun.
 * What is sent first is no queue of each watch: all go through one list.
 *
 * After what is sent first of a watch from now on, versions only rise. A client goes on from the version that it has seen
 * last: what was older and comes later, it would never get.
 */
export function captureWatches({
  version,
  bookmarkEveryMs,
  mostPending,
}: CaptureWatchesOptions): CaptureWatches {
  const watches = new Set<OpenWatch>();
  const openPending = pendingChanges(mostPending);

  async function* run(
    start: WatchBeginning,
    signal: AbortSignal,
  ): AsyncGenerator<readonly CaptureChange[], void, undefined> {
    using pending = openPending();
    const watch: OpenWatch = { scope: start.scope, pending, wakeup: wakeup() };
    const end = () => watch.wakeup.wake();
    signal.addEventListener('abort', end);
    watches.add(watch);
    try {
      for (const part of initialParts(watch, start)) {
        if (signal.aborted) return;
        if (part.length > 0) yield part;
        await yieldToOthers();
      }
      yield* sendPending(watch, signal);
      if (signal.aborted) return;
      yield [bookmark(version(), start.isFromNow)];
      yield* sendChanges(watch, signal);
    } finally {
      signal.removeEventListener('abort', end);
      watches.delete(watch);
    }
  }

  async function* sendChanges(
    watch: OpenWatch,
    signal: AbortSignal,
  ): AsyncGenerator<readonly CaptureChange[]> {
    let dueMs = performance.now() + bookmarkEveryMs;
    while (!signal.aborted) {
      await watch.wakeup.wait(dueMs - performance.now());
      yield* sendPending(watch, signal);
      if (signal.aborted) return;
      if (performance.now() < dueMs) continue;
      dueMs = performance.now() + bookmarkEveryMs;
      yield [bookmark(version(), false)];
    }
  }

  return {
    count: () => watches.size,
    notify(entry) {
      const added = changeOf(entry, true);
      const changed = changeOf(entry, entry.addedVersion === entry.version);
      for (const { scope, pending, wakeup: waking } of watches) {
        if (!isInScope(entry, scope)) continue;
        // Anew, so that it comes after all that are older.
        pending.put(entry.key, pending.get(entry.key)?.kind === 'added' ? added : changed);
        waking.wake();
      }
    },
    open: run,
  };
}

type OpenWatch = {
  readonly scope: CaptureScope;
  /** By key, in the order of their versions. */
  readonly pending: PendingChanges;
  readonly wakeup: ReturnType<typeof wakeup>;
};

/** What is there at first. What has changed meanwhile is sent once: later, with its version. */
function* initialParts(
  { pending, scope }: OpenWatch,
  { initial, knownSince, isFromNow }: WatchBeginning,
): Generator<readonly CaptureChange[]> {
  const entries = initial();
  // Their counters change meanwhile, and with them their versions. A watch from now on needs no order, and shares its list.
  const captures = isFromNow ? undefined : entries.map(({ capture }) => capture);
  for (let start = 0; start < entries.length; start += changesInOneGo) {
    const part: CaptureChange[] = [];
    for (const [offset, entry] of entries.slice(start, start + changesInOneGo).entries()) {
      if (!isInScope(entry, scope)) continue;
      const isAdded = knownSince === undefined || entry.addedVersion > knownSince;
      const change = changeOf(entry, isAdded, captures?.[start + offset]);
      const later = pending.get(entry.key);
      if (!later) part.push(change);
      else if (isAdded && later.kind === 'modified') pending.amend(entry.key, { ...later, kind: 'added' });
    }
    yield part;
  }
}

async function* sendPending(
  { pending }: OpenWatch,
  signal: AbortSignal,
): AsyncGenerator<readonly CaptureChange[]> {
  while (!pending.isEmpty() && !signal.aborted) {
    yield pending.take(changesInOneGo);
    if (!pending.isEmpty()) await yieldToOthers();
  }
}

function changeOf(entry: CaptureEntry, isAdded: boolean, capture: Capture = entry.capture): ObjectChange {
  return { kind: entry.isDeleted ? 'deleted' : isAdded ? 'added' : 'modified', capture };
}

function bookmark(resourceVersion: string, isInitial: boolean): CaptureChange {
  return { kind: 'bookmark', resourceVersion, isInitial };
}
