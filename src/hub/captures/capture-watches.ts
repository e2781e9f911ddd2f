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
  ) => AsyncGenerator<readonly CaptureChange[], void, undefined>;
};

export type WatchBeginning = {
  readonly scope: CaptureScope;
  /** What is sent first, when the watch is first read. */
  readonly initial: () => readonly CaptureEntry[];
  /** Entries that are younger are `added`; all of them if undefined. */
  readonly knownSince: number | undefined;
  /** Whether the bookmark after `initial` ends the initial events. */
  readonly isFromNow: boolean;
};

const bookmarkEveryMs = 60_000;
/** The most of a part. After each, others get their turn: a watch of everything has 10,000 changes to send at once. */
const changesInOneGo = 128;

/**
 * Watches, each with a queue of the entries that have changed and that it has not sent yet. An entry is in it once, and
 * is sent as it is by then: so the queue of a slow reader has no more entries than there are captures, and those that
 * were deleted. What is sent first is no queue of each watch: all go through one list.
 */
export function captureWatches(version: () => number): CaptureWatches {
  const watches = new Set<OpenWatch>();

  async function* run(
    start: WatchBeginning,
    signal: AbortSignal,
  ): AsyncGenerator<readonly CaptureChange[], void, undefined> {
    const watch: OpenWatch = { scope: start.scope, pending: new Map(), wakeup: wakeup() };
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

/** What is there at first, as it is by the time of each part: what has changed meanwhile is sent once. */
function* initialParts(
  { pending, scope }: OpenWatch,
  { initial, knownSince }: WatchBeginning,
): Generator<readonly CaptureChange[]> {
  const entries = initial();
  for (let at = 0; at < entries.length; at += changesInOneGo) {
    const part = entries.slice(at, at + changesInOneGo).filter((entry) => isInScope(entry, scope));
    yield part.map((first) => {
      const changed = pending.get(first.key);
      pending.delete(first.key);
      const isAdded = knownSince === undefined || first.addedVersion > knownSince;
      return changeOf({ entry: changed?.entry ?? first, isAdded: isAdded || changed?.isAdded === true });
    });
  }
}

async function* sendPending(
  { pending }: OpenWatch,
  signal: AbortSignal,
): AsyncGenerator<readonly CaptureChange[]> {
  while (pending.size > 0 && !signal.aborted) {
    const part: CaptureChange[] = [];
    for (const [key, change] of pending) {
      if (part.length === changesInOneGo) break;
      pending.delete(key);
      part.push(changeOf(change));
    }
    yield part;
    if (pending.size > 0) await yieldToOthers();
  }
}

function changeOf({ entry: { isDeleted, capture }, isAdded }: PendingChange): CaptureChange {
  return { kind: isDeleted ? 'deleted' : isAdded ? 'added' : 'modified', capture };
}

function bookmark(version: number, isInitial: boolean): CaptureChange {
  return { kind: 'bookmark', resourceVersion: `${version}`, isInitial };
}
