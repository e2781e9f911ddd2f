import * as v from 'valibot';
import { type BackoffOptions, backoff } from '../base/backoff.ts';
import { abortableSleep } from './abortable-sleep.ts';
import { ApiError, type Call } from './api-error.ts';
import type { KubernetesClient } from './client.ts';
import { defaultPageItems, nextWatchStep, type WatchEnd, type WatchStep } from './list-or-watch.ts';
import type { Log } from './logger.ts';
import { longestUnreachableMs, retryDelayMs } from './retry-policy.ts';
import { LineTooLong, lines } from './split-lines.ts';
import { parseWatchEvent } from './watch-event.ts';

/** `listed` is the whole collection, at first and whenever the watch could not resume; the others are live events. */
export type Change<T> =
  | { readonly kind: 'listed'; readonly items: readonly T[] }
  | { readonly kind: 'applied'; readonly object: T }
  | { readonly kind: 'deleted'; readonly object: T };

/** An object that passed validation, or why it did not. */
export type ParsedObject<T> =
  | { readonly kind: 'valid'; readonly object: T }
  | { readonly kind: 'invalid'; readonly problem: string };

/**
 * `synced`: the consumer has a whole list, and the server last answered at that time; `isWatching` once it also follows
 * the changes. Times are epoch ms.
 */
export type WatchState =
  | { readonly kind: 'synced'; readonly lastContactMs: number; readonly isWatching: boolean }
  | { readonly kind: 'disconnected'; readonly sinceMs: number; readonly message: string };

export type WatchOptions<T> = {
  readonly client: Pick<KubernetesClient, 'get' | 'stream'>;
  readonly path: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  /** Must not throw. An invalid object is logged and skipped. */
  readonly parse: (object: unknown) => ParsedObject<T>;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly onState?: (state: WatchState) => void;
  /** Whether nothing more is tried after that error. By default, everything is tried again. */
  readonly endsAfter?: (error: ApiError) => boolean;
  readonly limits?: Partial<WatchLimits>;
};

export type WatchLimits = {
  /** A watch ends after this, give or take a fifth, so that the watches of many Nodes do not end together. */
  readonly watchMs: number;
  /** More than a minute: some proxies delay the head of the answer until the first bookmark. */
  readonly responseMs: number;
  /** The server sends a bookmark about every minute. Two are missing, so it is not just that nothing changes. */
  readonly idleMs: number;
  /** A Pod may have 1.5 MB in etcd, and is larger in JSON. */
  readonly lineBytes: number;
  /** A list from the watch cache is one page, whatever this limit. */
  readonly pageItems: number;
  /** After a watch that was open this long, the next one is opened at once. */
  readonly settledMs: number;
  /** When a watch ends this long after the last list, the wait before the next list is the shortest again. */
  readonly calmMs: number;
  readonly backoff: BackoffOptions;
  /** The longest wait for a server that cannot be reached. */
  readonly unreachableMs: number;
};

const defaultLimits: WatchLimits = {
  watchMs: 300_000,
  responseMs: 75_000,
  idleMs: 130_000,
  lineBytes: 16 * 1024 * 1024,
  pageItems: defaultPageItems,
  settledMs: 1_000,
  calmMs: 5_000,
  backoff: {},
  unreachableMs: longestUnreachableMs,
};

/**
 * Follows one collection until the signal aborts, whatever the network or the server does; or until an error for which
 * `endsAfter` returns true, which is returned. Reads no faster than it is read. Which error needs a list is known from client-go (tools/cache/reflector.go); unlike there, a cut connection
 * never costs a list.
 */
export async function* watchCollection<T>(
  options: WatchOptions<T>,
): AsyncGenerator<Change<T>, ApiError | undefined, undefined> {
  const context: Context<T> = {
    ...options,
    limits: { ...defaultLimits, ...options.limits },
    lastContactMs: Date.now(),
  };
  const { signal, limits } = context;
  const delays = {
    list: backoff(limits.backoff),
    watch: backoff(limits.backoff),
    unreachable: backoff({ ...limits.backoff, maxMs: limits.unreachableMs }),
  };
  let step: WatchStep = { kind: 'list', resourceVersion: '0' };
  let listedMs = performance.now();
  for (;;) {
    const end: WatchEnd = yield* step.kind === 'list' ? list(context, step) : watch(context, step);
    if (signal.aborted) return undefined;
    if (end.kind === 'failed' && options.endsAfter?.(end.error)) return end.error;
    if (end.openMs >= limits.settledMs) delays.watch.reset();
    // The number of lists per time is bounded, so an outage between two lists counts as time.
    if (step.kind === 'list') listedMs = performance.now();
    else if (performance.now() - listedMs >= limits.calmMs) delays.list.reset();
    const next: WatchStep = nextWatchStep(step, end);
    const isUnreachable = end.kind === 'failed' && end.error.reason === 'Unreachable';
    if (!isUnreachable) delays.unreachable.reset();
    if (end.kind === 'failed') {
      const waitMs = retryDelayMs(end.error, delays[isUnreachable ? 'unreachable' : next.kind]);
      reportInterruption(context, end.error, { waitMs, next: next.kind });
      await abortableSleep(waitMs, signal);
    } else if (end.kind === 'closed' && end.openMs < limits.settledMs) {
      await abortableSleep(delays.watch.next(), signal);
    }
    if (signal.aborted) return undefined;
    step = next;
  }
}

type Context<T> = WatchOptions<T> & { readonly limits: WatchLimits; lastContactMs: number };

const noWatch = { openMs: 0, hadEvents: false };

async function* list<T>(
  context: Context<T>,
  step: WatchStep & { kind: 'list' },
): AsyncGenerator<Change<T>, WatchEnd> {
  const listed = await collect(context, step).catch((error: unknown) => asApiError(error));
  if (listed instanceof ApiError)
    return { kind: 'failed', ...noWatch, resourceVersion: undefined, error: listed };
  yield { kind: 'listed', items: listed.items };
  noteContact(context, { isWatching: false });
  return { kind: 'listed', ...noWatch, resourceVersion: listed.resourceVersion };
}

type ObjectList<T> = { readonly items: readonly T[]; readonly resourceVersion: string };

async function collect<T>(context: Context<T>, step: WatchStep & { kind: 'list' }): Promise<ObjectList<T>> {
  const { client, path, fieldSelector, labelSelector, signal, limits } = context;
  const { pageItems = limits.pageItems } = step;
  const limit = Number.isFinite(pageItems) ? String(pageItems) : undefined;
  const items: T[] = [];
  let resourceVersion: string | undefined;
  let token: string | undefined;
  do {
    // A continue token includes its version: the server refuses a resourceVersion next to it.
    const position = token === undefined ? versionOf(step) : { continue: token };
    const query = { fieldSelector, labelSelector, limit, ...position };
    const answer = await client.get({ path, query, signal });
    const page = v.safeParse(listSchema, answer);
    if (!page.success) throw notAList(context);
    resourceVersion ??= page.output.metadata.resourceVersion;
    token = page.output.metadata.continue;
    for (const object of page.output.items) {
      const valid = validate(context, object);
      if (valid !== undefined) items.push(valid);
    }
  } while (token !== undefined && token !== '');
  return { items, resourceVersion };
}

function versionOf({ resourceVersion }: WatchStep): Record<string, string | undefined> {
  const isAny = resourceVersion === undefined || resourceVersion === '0';
  return isAny ? { resourceVersion } : { resourceVersion, resourceVersionMatch: 'NotOlderThan' };
}

const listSchema = v.object({
  metadata: v.object({ resourceVersion: v.string(), continue: v.optional(v.string()) }),
  items: v.nullish(v.array(v.unknown()), []),
});

async function* watch<T>(
  context: Context<T>,
  step: WatchStep & { kind: 'watch' },
): AsyncGenerator<Change<T>, WatchEnd> {
  const { client, path, limits, signal } = context;
  let { resourceVersion } = step;
  const call = callOf(context);
  let openedMs: number | undefined;
  let hadEvents = false;
  const soFar = () => ({
    openMs: openedMs === undefined ? 0 : performance.now() - openedMs,
    hadEvents,
    resourceVersion,
  });
  try {
    const query = watchQuery(context, resourceVersion);
    await using stream = await client.stream({ path, query, signal, ...limits });
    openedMs = performance.now();
    noteContact(context, { isWatching: true });
    for await (const line of lines(stream, limits.lineBytes)) {
      hadEvents = true;
      noteContact(context, { isWatching: true });
      const { change, resourceVersion: version } = parseWatchEvent(call, line);
      const object = change && validate(context, change.object);
      if (change && object !== undefined) yield { kind: change.kind, object };
      resourceVersion = version;
    }
    return { kind: 'closed', ...soFar() };
  } catch (error) {
    return { kind: 'failed', ...soFar(), error: asApiError(error, call) };
  }
}

function watchQuery<T>(
  { fieldSelector, labelSelector, limits }: Context<T>,
  resourceVersion: string,
): Record<string, string | undefined> {
  const seconds = (limits.watchMs / 1_000) * (0.8 + 0.4 * Math.random());
  return {
    watch: 'true',
    allowWatchBookmarks: 'true',
    timeoutSeconds: String(Math.max(1, Math.round(seconds))),
    fieldSelector,
    labelSelector,
    resourceVersion,
  };
}

/** The parsed object; undefined if it is invalid, which is logged. */
function validate<T>({ parse, log, path }: Context<T>, object: unknown): T | undefined {
  const parsed = parse(object);
  if (parsed.kind === 'valid') return parsed.object;
  log.warn({ path, problem: parsed.problem }, 'skipped invalid object');
  return undefined;
}

function noteContact<T>(context: Context<T>, { isWatching }: { readonly isWatching: boolean }): void {
  context.lastContactMs = Date.now();
  context.onState?.({ kind: 'synced', lastContactMs: context.lastContactMs, isWatching });
}

function reportInterruption<T>(
  { path, log, onState, lastContactMs }: Context<T>,
  { status, reason, message }: ApiError,
  retry: { readonly waitMs: number; readonly next: WatchStep['kind'] },
): void {
  log.warn({ path, status, reason, message, ...retry }, 'watch interrupted');
  onState?.({ kind: 'disconnected', sinceMs: lastContactMs, message });
}

function callOf<T>({ path }: Context<T>): Call {
  return { method: 'GET', path };
}

function notAList<T>(context: Context<T>): ApiError {
  return new ApiError({ ...callOf(context), reason: 'Malformed', message: 'an answer that is not a list' });
}

/** Throws every other error: it is a bug in this program. */
function asApiError(error: unknown, call?: Call): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof LineTooLong && call !== undefined) {
    return new ApiError({ ...call, reason: 'TooLarge', message: error.message, cause: error });
  }
  throw error;
}
