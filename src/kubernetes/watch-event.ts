import * as v from 'valibot';
import { ApiError, type Call, statusError } from './api-error.ts';

/** One event of a watch. `object` is not validated beyond its version, and only a change has one. */
export type WatchEvent = {
  readonly resourceVersion: string;
  readonly change?: { readonly kind: 'applied' | 'deleted'; readonly object: unknown };
};

/** Parses a line of a watch. Throws an ApiError for an ERROR event and for a line that is not an event. */
export function parseWatchEvent(call: Call, line: string): WatchEvent {
  const { type, object } = parseLine(call, line);
  if (type === 'ERROR') throw statusError(call, object);
  const parsed = v.safeParse(objectSchema, object);
  if (!parsed.success) throw malformed(call, 'an event without a resourceVersion');
  const { resourceVersion } = parsed.output.metadata;
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { resourceVersion, change: { kind: 'applied', object } };
    case 'DELETED':
      return { resourceVersion, change: { kind: 'deleted', object } };
    default: // a bookmark, or a type of a later Kubernetes version
      return { resourceVersion };
  }
}

const eventSchema = v.object({ type: v.string(), object: v.unknown() });
const objectSchema = v.object({ metadata: v.object({ resourceVersion: v.string() }) });

function parseLine(call: Call, line: string): v.InferOutput<typeof eventSchema> {
  try {
    return v.parse(eventSchema, JSON.parse(line));
  } catch (cause) {
    throw malformed(call, 'a line that is not a watch event', cause);
  }
}

function malformed(call: Call, message: string, cause?: unknown): ApiError {
  return new ApiError({ ...call, reason: 'Malformed', message, cause });
}
