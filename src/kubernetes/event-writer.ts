import { lruCache } from '../base/lru-cache.ts';
import { ApiError } from './api-error.ts';
import type { KubernetesClient } from './client.ts';
import {
  cutMessage,
  type EventSource,
  eventName,
  eventObject,
  type Occurrences,
  type PodEvent,
} from './event-object.ts';

/** An Event that waits to be written. */
export type PendingEvent = {
  readonly event: PodEvent;
  readonly seen: Occurrences;
  /** Since when it waits, by performance.now(). */
  readonly sinceMs: number;
};

/** Writes one Event; returns the error of the API server or the network, if any. Equal Events have the same key. */
export type EventWriter = (key: string, pending: PendingEvent) => Promise<ApiError | undefined>;

export type EventWriterOptions = {
  readonly client: Pick<KubernetesClient, 'create' | 'patch'>;
  readonly nodeName: string;
  /** How many written Events are remembered: they can be counted up instead of written again. */
  readonly remembered: number;
  readonly signal: AbortSignal;
};

/** A writer that counts up the Event of the same key while the API server still has it, and else creates one. */
export function eventWriter({ client, nodeName, remembered, signal }: EventWriterOptions): EventWriter {
  const source: EventSource = { component: 'podcap', controller: 'podcap.dev/agent', nodeName };
  const written = lruCache<{ readonly name: string; readonly seen: Occurrences }>(remembered);
  const names = new WeakMap<PendingEvent, string>();

  async function write(key: string, pending: PendingEvent): Promise<void> {
    const path = `/api/v1/namespaces/${pending.event.pod.namespace}/events`;
    const last = written.get(key);
    if (last !== undefined) {
      const { lastTimestamp, count } = pending.seen;
      const { subject, message, isCorrection } = pending.event;
      const seen =
        isCorrection === true ? last.seen : { ...last.seen, count: last.seen.count + count, lastTimestamp };
      const body = {
        count: seen.count,
        lastTimestamp: seen.lastTimestamp,
        // The others have the message that they had.
        ...(subject !== undefined && { message: cutMessage(message) }),
      };
      await client.patch({ path: `${path}/${last.name}`, body, signal });
      written.set(key, { name: last.name, seen });
      return;
    }
    // The same name for all tries: if the answer to one is lost, the next one is refused with AlreadyExists.
    const name = names.get(pending) ?? eventName(pending.event.pod.name);
    names.set(pending, name);
    const body = eventObject(pending.event, name, source, pending.seen);
    await client.create({ path, body, signal }).catch(ignoreAlreadyExists);
    written.set(key, { name, seen: pending.seen });
  }

  return async (key, pending) => {
    try {
      await write(key, pending).catch((error: unknown) => {
        if (!(error instanceof ApiError) || error.status !== 404 || written.get(key) === undefined)
          throw error;
        // The API server keeps an Event for an hour: the one to count up is gone.
        written.delete(key);
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
