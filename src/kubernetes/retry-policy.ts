import type { Backoff } from '../base/backoff.ts';
import type { ApiError } from './api-error.ts';

/**
 * Milliseconds to wait before the next try, for the callers that retry by themselves (list-watch.ts and
 * event-recorder.ts): what Retry-After asks for plus the backoff, so that clients that were all given the same second
 * do not come back in the same second.
 */
export function retryDelayMs(error: ApiError, backoff: Backoff): number {
  return Math.round(Math.min(error.retryAfterMs ?? 0, longestRetryAfterMs) + backoff.next());
}

/** The longest wait for a server that cannot be reached: a refused connection costs it nothing, and it may be back. */
export const longestUnreachableMs = 5_000;

// A broken proxy could ask for a day: no caller waits longer than this.
const longestRetryAfterMs = 120_000;
