import type { ObjectChange } from './captures.ts';

/** The reader of a watch takes so little that too many changes wait: it has to go on from what it has seen. */
export class WatchOverrun extends Error {
  override readonly name = 'WatchOverrun';
}

/** The changes that one watch has not sent yet: of each capture the newest, in the order in which they came. */
export type PendingChanges = Disposable & {
  readonly get: (key: string) => ObjectChange | undefined;
  /** Comes after all others. */
  readonly put: (key: string, change: ObjectChange) => void;
  /** Replaces what waits, in its place. */
  readonly amend: (key: string, change: ObjectChange) => void;
  /** The oldest ones, at most that many. Throws a WatchOverrun if some have been dropped. */
  readonly take: (most: number) => readonly ObjectChange[];
  readonly isEmpty: () => boolean;
};

/** With 10,000 captures, 60 watches that are as far behind as they can be: 26 MB. */
const mostOfAll = 600_000;

/**
 * Opens the pending changes of watches, which share a bound: over it, those of the watch that has most are dropped. Every
 * change of everything can come at once, so how far a watch is behind says little; how much all of them keep is what counts.
 */
export function pendingChanges(most = mostOfAll): () => PendingChanges {
  const queues = new Set<ChangeQueue>();
  let count = 0;

  function drop(queue: ChangeQueue): void {
    count -= queue.changes.size;
    queue.changes.clear();
    queue.isOverrun = true;
  }

  return () => {
    const queue: ChangeQueue = { changes: new Map(), isOverrun: false };
    const { changes } = queue;
    queues.add(queue);
    return {
      get: (key) => changes.get(key),
      put(key, change) {
        if (queue.isOverrun) return;
        if (!changes.delete(key)) count += 1;
        changes.set(key, change);
        if (count > most) drop(longest(queues) ?? queue);
      },
      amend: (key, change) => void changes.set(key, change),
      take(mostNow) {
        if (queue.isOverrun) throw new WatchOverrun('too many changes wait for the reader of a watch');
        const taken: ObjectChange[] = [];
        for (const [key, change] of changes) {
          if (taken.length === mostNow) break;
          changes.delete(key);
          taken.push(change);
        }
        count -= taken.length;
        return taken;
      },
      isEmpty: () => changes.size === 0 && !queue.isOverrun,
      [Symbol.dispose]() {
        count -= changes.size;
        changes.clear();
        queues.delete(queue);
      },
    };
  };
}

type ChangeQueue = { readonly changes: Map<string, ObjectChange>; isOverrun: boolean };

function longest(queues: Iterable<ChangeQueue>): ChangeQueue | undefined {
  let found: ChangeQueue | undefined;
  for (const queue of queues) if (!found || queue.changes.size > found.changes.size) found = queue;
  return found;
}
