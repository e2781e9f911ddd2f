import * as v from 'valibot';
import { type BackoffOptions, backoff } from '../base/backoff.ts';
import { abortableSleep } from './abortable-sleep.ts';
import { ApiError, type Call, statusError } from './api-error.ts';
import type { KubernetesClient } from './client.ts';
import { nextWatchStep, type WatchEnd, type WatchStep } from './list-or-watch.ts';
import type { Log } from './logger.ts';
import { longestUnreachableMs, retryDelayMs } from './retry-policy.ts';
import { LineTooLong, lines } from './split-lines.ts';

/** `listed` is the whole collection, at first and whenever the watch could not go on; the others are live events. */
export type Change<T> =
  | { readonly kind: 'listed'; readonly items: readonly T[] }
  | { readonly kind: 'applied'; readonly object: T }
  | { readonly kind: 'deleted'; readonly object: T };

/** An object as it came through the door, or why it did not. */
export type ParsedObject<T> =
  | { readonly kind: 'valid'; readonly object: T }
  | { readonly kind: 'invalid'; readonly problem: string };

/** `synced`: the consumer has taken a whole list, and the server was heard at that time. Times are epoch ms. */
export type WatchState =
  | { readonly kind: 'synced'; readonly lastContactMs: number }
  | { readonly kind: 'disconnected'; readonly sinceMs: number; readonly message: string };

export type WatchOptions<T> = {
  readonly client: Pick<KubernetesClient, 'get' | 'stream'>;
  readonly path: string;
  readonly fieldSelector?: string;
  /** Must not throw. What is invalid is logged and left out. */
  readonly parse: (object: unknown) => ParsedObject<T>;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly onState?: (state: WatchState) => void;
  readonly limits?: Partial<WatchLimits>;
};

export type WatchLimits = {
  /** A watch ends after this, give or take a fifth, so that a fleet's do not end together. */
  readonly watchMs: number;
  /** More than a minute: some proxies hold the answer's head back until the first bookmark. */
  readonly responseMs: number;
  /** The server sends a bookmark about every minute: two missed, and it is not the collection that is quiet. */
  readonly idleMs: number;
  /** A Pod may have 1.5 MB in etcd, and is larger in JSON. */
  readonly lineBytes: number;
  /** A list out of the watch cache comes whole, whatever this says. */
  readonly pageItems: number;
  /** A watch that lived this long was a good one: the next is opened at once. */
  readonly settledMs: number;
  /** A watch that ends so long after the last list makes the next one come as early as the first did. */
  readonly calmMs: number;
  readonly backoff: BackoffOptions;
  /** The longest wait for a server that is not there. */
  readonly unreachableMs: number;
};

const defaultLimits: WatchLimits = {
  watchMs: 300_000,
  responseMs: 75_000,
  idleMs: 130_000,
  lineBytes: 16 * 1024 * 1024,
  pageItems: 100,
  settledMs: 1_000,
  calmMs: 5_000,
  backoff: {},
  unreachableMs: longestUnreachableMs,
};

/**
 * One collection, kept up with for ever: ends by the signal alone, throws for nothing that network or server do. Pulls
 * no faster than it is read. What must be done at which error is client-go's knowledge (tools/cache/reflector.go); other
 * than there, a cut connection never costs a list.
 */
export async function* watchCollection<T>(
  options: WatchOptions<T>,
): AsyncGenerator<Change<T>, void, undefined> {
  const context: Context<T> = {
    ...options,
    limits: { ...defaultLimits, ...options.limits },
    contact: Date.now(),
  };
  const { signal, limits, log, path } = context;
  const between = {
    list: backoff(limits.backoff),
    watch: backoff(limits.backoff),
    unreachable: backoff({ ...limits.backoff, maxMs: limits.unreachableMs }),
  };
  let step: WatchStep = { kind: 'list', resourceVersion: '0' };
  let listedAt = performance.now();
  for (;;) {
    const end: WatchEnd = yield* step.kind === 'list' ? list(context, step) : watch(context, step);
    if (signal.aborted) return;
    if (end.livedMs >= limits.settledMs) between.watch.reset();
    // What is bounded is how often it lists: an outage between is time, too.
    if (step.kind === 'list') listedAt = performance.now();
    else if (performance.now() - listedAt >= limits.calmMs) between.list.reset();
    const next: WatchStep = nextWatchStep(step, end);
    const isUnreachable = end.kind === 'failed' && end.error.reason === 'Unreachable';
    if (!isUnreachable) between.unreachable.reset();
    if (end.kind === 'failed') {
      const waitMs = retryDelayMs(end.error, between[isUnreachable ? 'unreachable' : next.kind]);
      const { status, reason, message } = end.error;
      log.warn({ path, status, reason, message, waitMs, next: next.kind }, 'watch interrupted');
      context.onState?.({ kind: 'disconnected', sinceMs: context.contact, message });
      await abortableSleep(waitMs, signal);
    } else if (end.kind === 'closed' && end.livedMs < limits.settledMs) {
      await abortableSleep(between.watch.next(), signal);
    }
    if (signal.aborted) return;
    step = next;
  }
}

type Context<T> = WatchOptions<T> & { readonly limits: WatchLimits; contact: number };

const unwatched = { livedMs: 0, heard: false };

async function* list<T>(
  context: Context<T>,
  step: WatchStep & { kind: 'list' },
): AsyncGenerator<Change<T>, WatchEnd> {
  const listed = await collect(context, step).catch((error: unknown) => asApiError(error));
  if (listed instanceof ApiError)
    return { kind: 'failed', ...unwatched, resourceVersion: undefined, error: listed };
  yield { kind: 'listed', items: listed.items };
  noteContact(context);
  return { kind: 'listed', ...unwatched, resourceVersion: listed.resourceVersion };
}

type ObjectList<T> = { readonly items: readonly T[]; readonly resourceVersion: string };

async function collect<T>(context: Context<T>, step: WatchStep & { kind: 'list' }): Promise<ObjectList<T>> {
  const { client, path, fieldSelector, signal, limits } = context;
  const limit = step.whole === true ? undefined : String(limits.pageItems);
  const items: T[] = [];
  let resourceVersion: string | undefined;
  let token: string | undefined;
  do {
    // A continue token says which version it belongs to: a resourceVersion beside it is refused.
    const position = token === undefined ? { resourceVersion: step.resourceVersion } : { continue: token };
    const answer = await client.get({ path, query: { fieldSelector, limit, ...position }, signal });
    const page = v.safeParse(listSchema, answer);
    if (!page.success) throw malformed(context, 'an answer that is no list');
    resourceVersion ??= page.output.metadata.resourceVersion;
    token = page.output.metadata.continue;
    for (const object of page.output.items) {
      const valid = accept(context, object);
      if (valid !== undefined) items.push(valid);
    }
  } while (token !== undefined && token !== '');
  return { items, resourceVersion };
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
  let openedAt: number | undefined;
  let heard = false;
  const life = () => ({ livedMs: openedAt === undefined ? 0 : performance.now() - openedAt, heard });
  try {
    const query = watchQuery(context, resourceVersion);
    await using stream = await client.stream({ path, query, signal, ...limits });
    openedAt = performance.now();
    noteContact(context);
    for await (const line of lines(stream, limits.lineBytes)) {
      heard = true;
      noteContact(context);
      const event = readEvent(context, line);
      if (event.change !== undefined) yield event.change;
      resourceVersion = event.resourceVersion;
    }
    return { kind: 'closed', ...life(), resourceVersion };
  } catch (error) {
    return { kind: 'failed', ...life(), resourceVersion, error: asApiError(error, callOf(context)) };
  }
}

function watchQuery<T>(
  { fieldSelector, limits }: Context<T>,
  resourceVersion: string,
): Record<string, string | undefined> {
  const seconds = (limits.watchMs / 1_000) * (0.8 + 0.4 * Math.random());
  return {
    watch: 'true',
    allowWatchBookmarks: 'true',
    timeoutSeconds: String(Math.max(1, Math.round(seconds))),
    fieldSelector,
    resourceVersion,
  };
}

type WatchEvent<T> = { readonly resourceVersion: string; readonly change?: Change<T> };

/** Throws the ApiError that an ERROR event carries, and one for a line that is no event. */
function readEvent<T>(context: Context<T>, line: string): WatchEvent<T> {
  const { type, object } = parseLine(context, line);
  if (type === 'ERROR') throw statusError(callOf(context), object);
  const meta = v.safeParse(metaSchema, object);
  if (!meta.success) throw malformed(context, 'an event without a resourceVersion');
  const { resourceVersion } = meta.output.metadata;
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') return { resourceVersion };
  const valid = accept(context, object);
  if (valid === undefined) return { resourceVersion };
  return { resourceVersion, change: { kind: type === 'DELETED' ? 'deleted' : 'applied', object: valid } };
}

const eventSchema = v.object({ type: v.string(), object: v.unknown() });
const metaSchema = v.object({ metadata: v.object({ resourceVersion: v.string() }) });

function parseLine<T>(context: Context<T>, line: string): v.InferOutput<typeof eventSchema> {
  try {
    return v.parse(eventSchema, JSON.parse(line));
  } catch (cause) {
    throw malformed(context, 'a line that is no watch event', cause);
  }
}

function accept<T>({ parse, log, path }: Context<T>, object: unknown): T | undefined {
  const parsed = parse(object);
  if (parsed.kind === 'valid') return parsed.object;
  log.warn({ path, problem: parsed.problem }, 'object left out: not as it should be');
  return undefined;
}

function noteContact<T>(context: Context<T>): void {
  context.contact = Date.now();
  context.onState?.({ kind: 'synced', lastContactMs: context.contact });
}

function callOf<T>({ path }: Context<T>): Call {
  return { method: 'GET', path };
}

function malformed<T>(context: Context<T>, message: string, cause?: unknown): ApiError {
  return new ApiError({ ...callOf(context), reason: 'Malformed', message, cause });
}

/** Anything else is a mistake in this program, and ends it. */
function asApiError(error: unknown, call?: Call): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof LineTooLong && call !== undefined) {
    return new ApiError({ ...call, reason: 'TooLarge', message: error.message, cause: error });
  }
  throw error;
}
