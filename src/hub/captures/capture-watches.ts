import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { wakeup } from '../../base/wakeup.ts';
import { type CaptureEntry, isInScope } from './capture-entry.ts';
import type { CaptureChange, CaptureScope } from './captures.ts';

/** The watches that are open. */
export type CaptureWatches = {
  readonly count: () => number;
  /** The entry has changed, been added or been deleted. */
  readonly notify: (entry: CaptureEntry) => void;
  readonly open: (
    start: WatchBeginning,
    signal: AbortSignal,
  ) => AsyncGenerator<CaptureChange, void, undefined>;
};

export type WatchBeginning = {
  readonly scope: CaptureScope;
  /** What is sent first, when the watch is first read. */
  readonly initial: () => Iterable<CaptureEntry>;
  /** Entries that are younger are `added`; all of them if undefined. */
  readonly knownSince: number | undefined;
  /** Whether the bookmark after `initial` ends the initial events. */
  readonly isFromNow: boolean;
};

const bookmarkEveryMs = 60_000;
/** Between these, others get their turn: a watch of everything has 10,000 changes to send at once. */
const changesInOneGo = 128;

/**
 * Watches, each with a queue of the entries that it has not sent yet. An entry is in it once, and is sent as it is by
 * then: so the queue of a slow reader has no more entries than there are captures, and those that were deleted.
 */
export function captureWatches(version: () => number): CaptureWatches {
  const watches = new Set<OpenWatch>();

  async function* run(
    start: WatchBeginning,
    signal: AbortSignal,
  ): AsyncGenerator<CaptureChange, void, undefined> {
    const watch: OpenWatch = { scope: start.scope, pending: new Map(), wakeup: wakeup() };
    const end = () => watch.wakeup.wake();
    signal.addEventListener('abort', end);
    watches.add(watch);
    try {
      for (const entry of start.initial()) {
        const isAdded = start.knownSince === undefined || entry.addedVersion > start.knownSince;
        if (isInScope(entry, start.scope)) watch.pending.set(entry.key, { entry, isAdded });
      }
      yield* sendPending(watch, signal);
      if (signal.aborted) return;
      yield bookmark(version(), start.isFromNow);
      yield* sendChanges(watch, signal);
    } finally {
      signal.removeEventListener('abort', end);
      watches.delete(watch);
    }
  }

  async function* sendChanges(watch: OpenWatch, signal: AbortSignal): AsyncGenerator<CaptureChange> {
    let dueMs = performance.now() + bookmarkEveryMs;
    while (!signal.aborted) {
      await watch.wakeup.wait(dueMs - performance.now());
      yield* sendPending(watch, signal);
      if (signal.aborted) return;
      if (performance.now() < dueMs) continue;
      dueMs = performance.now() + bookmarkEveryMs;
      yield bookmark(version(), false);
    }
  }

  return {
    count: () => watches.size,
    notify(entry) {
      for (const watch of watches) {
        if (!isInScope(entry, watch.scope)) continue;
        const isAdded =
          watch.pending.get(entry.key)?.isAdded === true || entry.addedVersion === entry.version;
        watch.pending.set(entry.key, { entry, isAdded });
        watch.wakeup.wake();
      }
    },
    open: run,
  };
}

type OpenWatch = {
  readonly scope: CaptureScope;
  readonly pending: Map<string, PendingChange>;
  readonly wakeup: ReturnType<typeof wakeup>;
};

type PendingChange = { readonly entry: CaptureEntry; readonly isAdded: boolean };

async function* sendPending({ pending }: OpenWatch, signal: AbortSignal): AsyncGenerator<CaptureChange> {
  let sent = 0;
  for (const [key, { entry, isAdded }] of pending) {
    pending.delete(key);
    const { isDeleted, capture } = entry;
    yield { kind: isDeleted ? 'deleted' : isAdded ? 'added' : 'modified', capture };
    if (signal.aborted) return;
    sent += 1;
    if (sent % changesInOneGo === 0) await yieldToOthers();
  }
}

function bookmark(version: number, isInitial: boolean): CaptureChange {
  return { kind: 'bookmark', resourceVersion: `${version}`, isInitial };
}
