import type { BackoffOptions } from '../../base/backoff.ts';
import { plainText } from '../../base/plain-text.ts';
import { exitCodes } from '../../commands/terminal.ts';
import type { ApiError } from '../../kubernetes/api-error.ts';
import {
  type Change,
  type ParsedObject,
  type WatchState,
  watchCollection,
} from '../../kubernetes/list-watch.ts';
import type { Log } from '../../kubernetes/logger.ts';
import { CommandFailure } from '../cli-command.ts';
import type { Cluster } from './cluster.ts';
import { plainMessage, watchClient } from './watch-client.ts';

export type FollowedCollection<T> = {
  readonly path: string;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Throws for what is no such object: it is skipped. */
  readonly parse: (object: unknown) => T;
  readonly keyOf: (object: T) => string;
  /** Whether the warnings of a list say that it may lack objects: what it lacks is then not taken for deleted. */
  readonly isPartial?: (warnings: readonly string[]) => boolean;
};

export type FollowedChange<T> = { readonly kind: 'set' | 'deleted'; readonly object: T };

export type FollowOptions = {
  /** Called with why nothing arrives any more, and with undefined once something does again. */
  readonly onInterruption?: (why: string | undefined) => void;
  readonly backoff?: BackoffOptions;
};

/**
 * All objects of a collection at first, then every change. Connections that are cut are opened again, and where that
 * leaves a gap, the whole collection is compared with what is known. Ends when the signal aborts.
 *
 * @throws CommandFailure if the collection cannot be listed at first, or not be read any more.
 */
export async function* followObjects<T>(
  cluster: Cluster,
  collection: FollowedCollection<T>,
  signal: AbortSignal,
  { onInterruption = () => {}, backoff = {} }: FollowOptions = {},
): AsyncGenerator<FollowedChange<T>, void> {
  const known = new Map<string, T>();
  const patience = patienceOf();
  let isInterrupted = false;
  const onState = (state: WatchState) => {
    if (state.kind === 'synced') patience.noteContact();
    else if (patience.isExpired()) return;
    if ((state.kind === 'disconnected') === isInterrupted) return;
    isInterrupted = state.kind === 'disconnected';
    onInterruption(patience.why());
  };
  const { path, labelSelector, fieldSelector } = collection;
  const warnings: string[] = [];
  const changes = watchCollection({
    client: watchClient(cluster, warnings),
    path,
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== undefined && { fieldSelector }),
    parse: (object) => parsed(collection, object),
    log: noLog,
    signal,
    onState,
    endsAfter: (error) => patience.endsAfter(error),
    limits: { backoff },
  });
  try {
    for (;;) {
      const next = await changes.next();
      if (next.done === true) {
        if (next.value && !signal.aborted)
          throw new CommandFailure(plainMessage(next.value), exitCodes.failed);
        return;
      }
      yield* changesOf(next.value, known, { ...collection, warnings });
    }
  } finally {
    // Closes the connection when the reader stops.
    await changes.return(undefined);
  }
}

/** When it is given up: at once as long as nothing has come, then only for what does not pass by itself. */
function patienceOf() {
  let hasContact = false;
  let unauthorized = 0;
  let why: string | undefined;
  let isExpired = false;
  return {
    why: () => why,
    /** The last error only asks for a list, as every other replica of the hub does: nothing is wrong. */
    isExpired: () => isExpired,
    noteContact() {
      hasContact = true;
      unauthorized = 0;
      why = undefined;
    },
    endsAfter(error: ApiError): boolean {
      isExpired = error.status === 410;
      if (isExpired) return false;
      why = plainMessage(error);
      if (!hasContact || error.status === 403) return true;
      // kubectl fetches a new token after the first one.
      if (error.status === 401) unauthorized += 1;
      return unauthorized >= 3;
    },
  };
}

type ListedCollection<T> = Pick<FollowedCollection<T>, 'keyOf' | 'isPartial'> & {
  /** Of the last list. */
  readonly warnings: readonly string[];
};

/** Notes the change in `known`, and returns what it is for the reader. */
function* changesOf<T>(
  change: Change<T>,
  known: Map<string, T>,
  { keyOf, isPartial, warnings }: ListedCollection<T>,
): Generator<FollowedChange<T>, void> {
  if (change.kind !== 'listed') {
    const { object } = change;
    if (change.kind === 'applied') known.set(keyOf(object), object);
    else if (!known.delete(keyOf(object))) return;
    yield { kind: change.kind === 'applied' ? 'set' : 'deleted', object };
    return;
  }
  const listed = new Map(change.items.map((object) => [keyOf(object), object]));
  for (const [key, object] of known) {
    if (listed.has(key) || isPartial?.(warnings) === true) continue;
    known.delete(key);
    yield { kind: 'deleted', object };
  }
  for (const [key, object] of listed) {
    known.set(key, object);
    yield { kind: 'set', object };
  }
}

function parsed<T>({ parse }: FollowedCollection<T>, object: unknown): ParsedObject<T> {
  try {
    return { kind: 'valid', object: parse(object) };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    return { kind: 'invalid', problem: plainText(error.message) };
  }
}

/** A person is told what matters by `onInterruption`. */
const noLog: Log = { debug: () => {}, info: () => {}, warn: () => {} };
