import { type BackoffOptions, backoff } from '../base/backoff.ts';
import { type RateLimits, rateLimiter } from '../base/rate-limiter.ts';
import { abortableSleep } from './abortable-sleep.ts';
import { ApiError } from './api-error.ts';
import type { KubernetesClient } from './client.ts';
import { type EventSource, eventName, eventObject, type Occurrences, type PodEvent } from './event-object.ts';
import type { Log } from './logger.ts';
import { lruCache } from './lru-cache.ts';
import { longestUnreachableMs, retryDelayMs } from './retry-policy.ts';
import { type SpamLimits, spamFilter } from './spam-filter.ts';

/**
 * Writes Events about Pods, in the order in which they were recorded: ten at once, then five a second, because a Node
 * on which a hundred captures start has something else to do; none waits for that longer than 5 s, or while so many
 * wait that some could be dropped. Disposed, it writes what it can in 5 s.
 */
export type EventRecorder = AsyncDisposable & {
  /** Never waits and never throws: the Event is written when the API server takes it. */
  readonly record: (event: PodEvent) => void;
  /** True when everything recorded so far is written or given up, false when that took longer than `ms`. */
  readonly flush: (ms: number) => Promise<boolean>;
  readonly counts: () => EventCounts;
};

/** Every recorded Event is pending or in one of these. */
export type EventCounts = {
  readonly written: number;
  /** The queue was full and the oldest went, or the recorder ended first. */
  readonly dropped: number;
  /** Too many about one Pod. */
  readonly suppressed: number;
  /** Refused by the API server, or by it failing too often. */
  readonly failed: number;
};

export type EventRecorderOptions = {
  readonly client: Pick<KubernetesClient, 'create' | 'patch'>;
  readonly nodeName: string;
  readonly log: Log;
  readonly limits?: Partial<EventLimits>;
};

export type EventLimits = {
  readonly queue: number;
  /** Answers of a failing server; one that cannot be reached is tried for ever. */
  readonly tries: number;
  /** Events that can be counted up instead of written anew. */
  readonly remembered: number;
  readonly flushMs: number;
  readonly rate: RateLimits;
  /** One that has waited for so long is written at once: nothing is late because of others. */
  readonly maxDelayMs: number;
  readonly spam: Partial<SpamLimits>;
  readonly backoff: BackoffOptions;
};

const defaultLimits: EventLimits = {
  queue: 1_000,
  tries: 12,
  remembered: 1_000,
  flushMs: 5_000,
  rate: { burst: 10, everyMs: 200 },
  maxDelayMs: 5_000,
  spam: {},
  backoff: {},
};

export function eventRecorder({
  client,
  nodeName,
  log,
  limits: given = {},
}: EventRecorderOptions): EventRecorder {
  const limits = { ...defaultLimits, ...given };
  const stop = new AbortController();
  const turns = rateLimiter(limits.rate);
  const passes = spamFilter(limits.spam);
  const counts = { written: 0, dropped: 0, suppressed: 0, failed: 0 };
  // In the order of recording; the same Event again only raises the count of the one that waits.
  const queue = new Map<string, Pending>();
  const writer = eventWriter({ client, nodeName, remembered: limits.remembered, signal: stop.signal });
  let working: Promise<void> | undefined;
  /** Until the turn of the next Event. */
  let pause = new AbortController();
  let isEnding = false;

  async function work(): Promise<void> {
    for (let oldest = first(queue); oldest !== undefined && !stop.signal.aborted; oldest = first(queue)) {
      const pacedMs = oldest[1].sinceMs + limits.maxDelayMs - performance.now();
      const waitMs = Math.min(turns.waitMs(), pacedMs);
      if (waitMs > 0 && !isHurried()) {
        pause = new AbortController();
        await abortableSleep(waitMs, pause.signal);
      }
      turns.take();
      // Meanwhile it may have been counted up, or dropped for a newer one.
      const [key, pending] = first(queue) ?? oldest;
      queue.delete(key);
      const written = await persist(key, pending);
      counts[written ? 'written' : 'failed'] += pending.seen.count;
    }
    working = undefined;
  }

  function isHurried(): boolean {
    return isEnding || queue.size > limits.queue / 4;
  }

  async function persist(key: string, pending: Pending): Promise<boolean> {
    const refused = backoff(limits.backoff);
    const unreachable = backoff({ ...limits.backoff, maxMs: longestUnreachableMs });
    for (let answers = 0; ; ) {
      const error = await writer(key, pending);
      if (error === undefined) return true;
      if (error.status !== undefined) answers += 1;
      const { reason, pod } = pending.event;
      const { status, message } = error;
      if (!isTransient(error) || answers >= limits.tries || stop.signal.aborted) {
        log.warn({ event: reason, pod: `${pod.namespace}/${pod.name}`, status, message }, 'event given up');
        return false;
      }
      const waitMs = retryDelayMs(error, error.reason === 'Unreachable' ? unreachable : refused);
      log.debug({ event: reason, status, message, waitMs }, 'event not written yet');
      await abortableSleep(waitMs, stop.signal);
    }
  }

  async function flush(ms: number): Promise<boolean> {
    if (working === undefined) return true;
    const end = new AbortController();
    const late = abortableSleep(ms, end.signal).then(() => false);
    try {
      return await Promise.race([working.then(() => true), late]);
    } finally {
      end.abort();
    }
  }

  return {
    record(event) {
      if (stop.signal.aborted || !passes(event.pod.uid)) {
        counts[stop.signal.aborted ? 'dropped' : 'suppressed'] += 1;
        return;
      }
      enqueue(queue, event);
      if (isHurried()) pause.abort();
      const oldest = queue.size > limits.queue ? first(queue) : undefined;
      if (oldest !== undefined) {
        const [key, { seen }] = oldest;
        counts.dropped += seen.count;
        queue.delete(key);
      }
      working ??= work();
    },
    flush,
    counts: () => ({ ...counts }),
    async [Symbol.asyncDispose]() {
      isEnding = true;
      pause.abort();
      await flush(limits.flushMs);
      stop.abort();
      await working;
      for (const { seen } of queue.values()) counts.dropped += seen.count;
      queue.clear();
    },
  };
}

type Pending = {
  readonly event: PodEvent;
  readonly seen: Occurrences;
  /** When it began to wait, by performance.now(). */
  readonly sinceMs: number;
};

function enqueue(queue: Map<string, Pending>, event: PodEvent): void {
  const key = JSON.stringify([event.pod.uid, event.type, event.reason, event.message]);
  const now = `${new Date().toISOString().slice(0, 19)}Z`;
  const waiting = queue.get(key);
  const seen =
    waiting === undefined
      ? { count: 1, firstTimestamp: now, lastTimestamp: now }
      : { ...waiting.seen, count: waiting.seen.count + 1, lastTimestamp: now };
  queue.set(key, { event, seen, sinceMs: waiting?.sinceMs ?? performance.now() });
}

function first(queue: Map<string, Pending>): [string, Pending] | undefined {
  for (const entry of queue) return entry;
  return undefined;
}

type Writer = (key: string, pending: Pending) => Promise<ApiError | undefined>;

type WriterOptions = Pick<EventRecorderOptions, 'client' | 'nodeName'> & {
  readonly remembered: number;
  readonly signal: AbortSignal;
};

/** Writes one Event: counts the one of before up while the API server still has it, else makes a new one. */
function eventWriter({ client, nodeName, remembered, signal }: WriterOptions): Writer {
  const source: EventSource = { component: 'podcap', controller: 'podcap.dev/agent', nodeName };
  const before = lruCache<{ readonly name: string; readonly seen: Occurrences }>(remembered);
  const names = new WeakMap<Pending, string>();

  async function write(key: string, pending: Pending): Promise<void> {
    const path = `/api/v1/namespaces/${pending.event.pod.namespace}/events`;
    const last = before.get(key);
    if (last !== undefined) {
      const { lastTimestamp, count } = pending.seen;
      const seen = { ...last.seen, count: last.seen.count + count, lastTimestamp };
      await client.patch({
        path: `${path}/${last.name}`,
        body: { count: seen.count, lastTimestamp },
        signal,
      });
      before.set(key, { name: last.name, seen });
      return;
    }
    // One name for all tries: when an answer was lost, the next is told AlreadyExists.
    const name = names.get(pending) ?? eventName(pending.event.pod.name);
    names.set(pending, name);
    const body = eventObject(pending.event, name, source, pending.seen);
    await client.create({ path, body, signal }).catch(ignoreAlreadyExists);
    before.set(key, { name, seen: pending.seen });
  }

  return async (key, pending) => {
    try {
      await write(key, pending).catch((error: unknown) => {
        if (!(error instanceof ApiError) || error.status !== 404 || before.get(key) === undefined)
          throw error;
        // Events live for an hour: the one of before is gone.
        before.delete(key);
        return write(key, pending);
      });
      return undefined;
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  };
}

function ignoreAlreadyExists(error: unknown): void {
  if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
}

/** 403 and 404 (RBAC, a namespace that is going or gone) and the other 4xx will be said again. */
function isTransient({ status }: ApiError): boolean {
  return status === undefined || status >= 500 || [401, 408, 429].includes(status);
}
