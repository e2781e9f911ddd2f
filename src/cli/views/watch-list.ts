import { type Written } from '../../commands/standard-output.ts';
import { printMessage } from '../../commands/terminal.ts';
import type { Cluster } from '../api/cluster.ts';
import type { CommandContext } from '../cli-command.ts';
import type { PrintedCapture } from './list-printer.ts';
import {
  captureKey,
  followListed,
  type ListedCapture,
  type ListedChange,
  type ListedQuery,
} from './listed-captures.ts';

export type WatchList = {
  readonly query: ListedQuery;
  /** What was printed already. */
  readonly printed: readonly ListedCapture[];
  readonly print: (captures: readonly PrintedCapture[]) => Promise<Written>;
  readonly context: Pick<CommandContext, 'terminal' | 'signal'>;
};

/**
 * Prints captures again whenever they change, until the signal aborts or nobody reads: returns what became of the last
 * text. Throws a CommandFailure if the API server refuses.
 */
export async function watchList(
  cluster: Cluster,
  { query, printed, print, context: { terminal, signal } }: WatchList,
): Promise<Written> {
  const known = new Map(printed.map((listed) => [captureKey(listed), listed]));
  const over = new AbortController();
  const changes = followListed(cluster, query, AbortSignal.any([signal, over.signal]), {
    onInterruption: (why) =>
      printMessage(
        terminal,
        why === undefined ? 'the watch goes on' : `the watch is interrupted, and tried again: ${why}`,
      ),
  });
  try {
    for await (const change of changes) {
      const news = newsOf(change, known);
      const written = news && (await print([news]));
      if (written !== undefined && written !== 'written') return written;
    }
    return 'written';
  } finally {
    over.abort(new Error('the list is not watched any more'));
  }
}

/** What to print of a change, which `known` then has; undefined if it is known. */
function newsOf(
  { kind, listed }: ListedChange,
  known: Map<string, ListedCapture>,
): PrintedCapture | undefined {
  const key = captureKey(listed);
  const before = known.get(key);
  if (kind === 'deleted') {
    known.delete(key);
    return before && { ...listed, isGone: true };
  }
  known.set(key, listed);
  return before !== undefined && isSame(before, listed) ? undefined : listed;
}

/** Each replica of the hub has versions of its own. */
function isSame(a: ListedCapture, b: ListedCapture): boolean {
  return JSON.stringify(withoutVersion(a)) === JSON.stringify(withoutVersion(b));
}

function withoutVersion({ capture: { metadata, status } }: ListedCapture): object {
  return { ...metadata, resourceVersion: '', status };
}
