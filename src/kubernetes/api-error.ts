import * as v from 'valibot';
import type { Backoff } from '../base/backoff.ts';

/** Which call an error belongs to. */
export type Call = { readonly method: string; readonly path: string };

type Failure = Call & {
  /** The HTTP status, or the code of a watch's ERROR event; absent when no answer came. */
  readonly status?: number | undefined;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
};

/**
 * A request that the server refused or that never got its answer.
 *
 * `reason` is Kubernetes' own word (NotFound, Conflict, Expired, TooManyRequests ...) where the server gave one, else
 * one of Unreachable, StaleConnection, DeadlineExceeded, Silent, Aborted, TokenUnreadable, TooLarge, Malformed.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly method: string;
  readonly path: string;
  readonly status: number | undefined;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor({ method, path, status, reason, message, retryAfterMs, cause }: Failure) {
    super(`${method} ${path}: ${message}`, { cause });
    this.method = method;
    this.path = path;
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Milliseconds to wait before the next try, the one policy for every caller: what Retry-After asks for, and the
 * backoff on top of it, so that a fleet that was told the same second does not come back in the same second.
 */
export function retryDelayMs(error: ApiError, backoff: Backoff): number {
  return Math.round(Math.min(error.retryAfterMs ?? 0, longestRetryAfterMs) + backoff.next());
}

/** The longest wait for a server that is not there: a refused connection costs it nothing, and it may be back. */
export const longestUnreachableMs = 5_000;

/** The error that an answer other than 2xx stands for; its body is a `Status` object, or whatever a proxy wrote. */
export function answerError(
  call: Call,
  answer: { status: number; retryAfter?: string | undefined; body: string },
): ApiError {
  const retryAfterMs = parseRetryAfter(answer.retryAfter);
  const error = statusError(call, parseOrUndefined(answer.body), answer.status);
  return retryAfterMs === undefined ? error : new ApiError({ ...failure(error, call), retryAfterMs });
}

/** The error in a `Status` object: the body of a refusal, or the object of a watch's ERROR event. */
export function statusError(call: Call, object: unknown, httpStatus?: number): ApiError {
  const parsed = v.safeParse(statusSchema, object);
  const fallback =
    httpStatus === undefined ? 'an error that is no Status object' : `HTTP status ${httpStatus}`;
  if (!parsed.success)
    return new ApiError({ ...call, status: httpStatus, reason: 'Unknown', message: fallback });
  const { code, reason, message, details } = parsed.output;
  const tooLarge = details?.causes?.some((cause) => cause.reason === resourceVersionTooLarge) === true;
  const seconds = details?.retryAfterSeconds;
  return new ApiError({
    ...call,
    status: httpStatus ?? code,
    reason: tooLarge ? resourceVersionTooLarge : (reason ?? 'Unknown'),
    message: message ?? fallback,
    retryAfterMs: seconds === undefined || seconds <= 0 ? undefined : seconds * 1_000,
  });
}

/** The cause that a server which lags behind the asked version names (apimachinery meta/v1 CauseType). */
export const resourceVersionTooLarge = 'ResourceVersionTooLarge';

// A broken proxy could ask for a day: nothing here waits longer than this.
const longestRetryAfterMs = 120_000;

const statusSchema = v.object({
  kind: v.literal('Status'),
  code: v.optional(v.number()),
  reason: v.optional(v.string()),
  message: v.optional(v.string()),
  details: v.nullish(
    v.object({
      retryAfterSeconds: v.optional(v.number()),
      causes: v.nullish(v.array(v.object({ reason: v.optional(v.string()) }))),
    }),
  ),
});

function failure(error: ApiError, call: Call): Failure {
  const message = error.message.slice(`${call.method} ${call.path}: `.length);
  return { ...call, status: error.status, reason: error.reason, message };
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3), as milliseconds from now. */
function parseRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
