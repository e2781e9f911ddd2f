import { backoff } from '../base/backoff.ts';
import { rateLimiter } from '../base/rate-limiter.ts';
import { abortableSleep } from './abortable-sleep.ts';
import type { ApiError } from './api-error.ts';
import { defaultEventLimits, type EventLimits } from './event-limits.ts';
import type { PodEvent } from './event-object.ts';
import { type EventWriterOptions, eventWriter, type PendingEvent } from './event-writer.ts';
import type { Log } from './logger.ts';
import { objectTime } from './object-time.ts';
import { longestUnreachableMs, retryDelayMs } from './retry-policy.ts';
import { spamFilter } from './spam-filter.ts';

/**
 * Writes Events about Pods in the order in which they were recorded: ten at once, then five a second, because a Node on
 * which a hundred captures start is busy. No Event waits for this rate limit longer than 5 s, or while the queue fills
 * up so that Events could be dropped. When it is disposed of, it writes what it can in 5 s.
 */
export type EventRecorder = AsyncDisposable & {
  /** Never waits and never throws: the Event is written when the API server accepts it. */
  readonly record: (event: PodEvent) => void;
  /** True when everything recorded so far is written or given up, false when that takes longer than `ms`. */
  readonly flush: (ms: number) => Promise<boolean>;
  readonly counts: () => EventCounts;
};

/** Every recorded Event is pending or counted in one of these. */
export type EventCounts = {
  readonly written: number;
  /** The queue was full and this was the oldest, or the recorder ended first. */
  readonly dropped: number;
  /** Too many about one Pod. */
  readonly suppressed: number;
  /** Refused by the API server, or given up because the server failed too often. */
  readonly failed: number;
};

export type EventRecorderOptions = Pick<EventWriterOptions, 'client' | 'nodeName'> & {
  readonly log: Log;
  readonly limits?: Partial<EventLimits>;
};

/** Starts a recorder of the Events of one Node. */
export function eventRecorder({
  client,
  nodeName,
  log,
  limits: given = {},
}: EventRecorderOptions): EventRecorder {
  const limits = { ...defaultEventLimits, ...given };
  const stop = new AbortController();
  const limiter = rateLimiter(limits.rate);
  const passesSpamFilter = spamFilter(limits.spam);
  const counts = { written: 0, dropped: 0, suppressed: 0, failed: 0 };
  // In the order of recording; an Event that already waits is counted up in its place.
  const queue = new Map<string, PendingEvent>();
  const write = eventWriter({ client, nodeName, remembered: limits.remembered, signal: stop.signal });
  let writing: Promise<void> | undefined;
  /** Ends the wait for the next token. */
  let waiting = new AbortController();
  let isEnding = false;

  async function writeQueue(): Promise<void> {
    for (let next = oldest(queue); next !== undefined && !stop.signal.aborted; next = oldest(queue)) {
      const remainingMs = next[1].sinceMs + limits.maxDelayMs - performance.now();
      const waitMs = Math.min(limiter.waitMs(), remainingMs);
      if (waitMs > 0 && !isUrgent()) {
        waiting = new AbortController();
        await abortableSleep(waitMs, waiting.signal);
      }
      limiter.take();
      // During the wait it may have been counted up, or dropped for a newer one.
      const [key, pending] = oldest(queue) ?? next;
      queue.delete(key);
      const isWritten = await writeOrGiveUp(key, pending);
      counts[isWritten ? 'written' : 'failed'] += pending.seen.count;
    }
    writing = undefined;
  }

  /** Whether Events are written without waiting for a token. */
  function isUrgent(): boolean {
    return isEnding || queue.size > limits.queue / 4;
  }

  async function writeOrGiveUp(key: string, pending: PendingEvent): Promise<boolean> {
    const refused = backoff(limits.backoff);
    const unreachable = backoff({ ...limits.backoff, maxMs: longestUnreachableMs });
    for (let answers = 0; ; ) {
      const error = await write(key, pending);
      if (error === undefined) return true;
      // Without a server, or a token, no Event can be written: they wait.
      if (!['Unreachable', 'TokenUnreadable'].includes(error.reason)) answers += 1;
      const { reason, pod } = pending.event;
      const { status, message } = error;
      const fields = { event: reason, pod: `${pod.namespace}/${pod.name}`, status, message };
      if (!isTransient(error) || answers >= limits.tries || stop.signal.aborted) {
        log.warn(fields, 'failed to write event');
        return false;
      }
      const waitMs = retryDelayMs(error, error.reason === 'Unreachable' ? unreachable : refused);
      log.debug({ ...fields, waitMs }, 'failed to write event, will retry');
      await abortableSleep(waitMs, stop.signal);
    }
  }

  async function flush(ms: number): Promise<boolean> {
    if (writing === undefined) return true;
    const end = new AbortController();
    const late = abortableSleep(ms, end.signal).then(() => false);
    try {
      return await Promise.race([writing.then(() => true), late]);
    } finally {
      end.abort();
    }
  }

  return {
    record(event) {
      if (stop.signal.aborted || !passesSpamFilter(event.pod.uid)) {
        counts[stop.signal.aborted ? 'dropped' : 'suppressed'] += 1;
        return;
      }
      enqueue(queue, event);
      if (isUrgent()) waiting.abort();
      const dropped = queue.size > limits.queue ? oldest(queue) : undefined;
      if (dropped !== undefined) {
        const [key, { seen }] = dropped;
        counts.dropped += seen.count;
        queue.delete(key);
      }
      writing ??= writeQueue();
    },
    flush,
    counts: () => ({ ...counts }),
    async [Symbol.asyncDispose]() {
      isEnding = true;
      waiting.abort();
      await flush(limits.flushMs);
      stop.abort();
      await writing;
      for (const { seen } of queue.values()) counts.dropped += seen.count;
      queue.clear();
    },
  };
}

function enqueue(queue: Map<string, PendingEvent>, event: PodEvent): void {
  const { pod, type, reason, subject, message, isCorrection } = event;
  const key = JSON.stringify([
    pod.uid,
    type,
    reason,
    ...(subject === undefined ? [message] : ['about', subject]),
  ]);
  const now = objectTime(Date.now());
  const pending = queue.get(key);
  const seen =
    pending === undefined
      ? { count: 1, firstTimestamp: now, lastTimestamp: now }
      : isCorrection === true
        ? pending.seen
        : { ...pending.seen, count: pending.seen.count + 1, lastTimestamp: now };
  queue.set(key, { event, seen, sinceMs: pending?.sinceMs ?? performance.now() });
}

function oldest(queue: Map<string, PendingEvent>): [string, PendingEvent] | undefined {
  for (const entry of queue) return entry;
  return undefined;
}

/** 403 and 404 (RBAC, a namespace that is being deleted) and other 4xx would only be repeated. */
function isTransient({ status }: ApiError): boolean {
  return status === undefined || status >= 500 || [401, 408, 429].includes(status);
}
