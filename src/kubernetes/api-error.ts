import * as v from 'valibot';

/** The request that an error belongs to. */
export type Call = { readonly method: string; readonly path: string };

type Failure = Call & {
  /** The HTTP status, or the code of a watch's ERROR event; absent when there was no answer. */
  readonly status?: number | undefined;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
};

/**
 * A request that the server refused or did not answer.
 *
 * `reason` is Kubernetes' own (NotFound, Conflict, Expired, TooManyRequests ...) where the server sent one. Otherwise
 * Unreachable, StaleConnection, DeadlineExceeded, Silent, Aborted, TokenUnreadable, TooLarge, Malformed or Unknown.
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

/** The error for an answer other than 2xx; its body is a `Status` object, or whatever a proxy wrote. */
export function answerError(
  call: Call,
  { status, retryAfter, body }: { status: number; retryAfter?: string | undefined; body: string },
): ApiError {
  return statusError(call, parseOrUndefined(body), { status, retryAfterMs: parseRetryAfter(retryAfter) });
}

/**
 * The error for a `Status` object: the body of a refusal, or the object of a watch's ERROR event. The HTTP head of the
 * answer takes precedence over the object.
 */
export function statusError(
  call: Call,
  object: unknown,
  head: Pick<Failure, 'status' | 'retryAfterMs'> = {},
): ApiError {
  const parsed = v.safeParse(statusSchema, object);
  const fallback =
    head.status === undefined ? 'an error that is not a Status object' : `HTTP status ${head.status}`;
  if (!parsed.success) return new ApiError({ ...call, ...head, reason: 'Unknown', message: fallback });
  const { code, reason, message, details } = parsed.output;
  const tooLarge = details?.causes?.some((cause) => cause.reason === resourceVersionTooLarge) === true;
  const seconds = details?.retryAfterSeconds;
  const retryAfterMs = seconds === undefined || seconds <= 0 ? undefined : seconds * 1_000;
  return new ApiError({
    ...call,
    status: head.status ?? code,
    reason: tooLarge ? resourceVersionTooLarge : (reason ?? 'Unknown'),
    message: message ?? fallback,
    retryAfterMs: head.retryAfterMs ?? retryAfterMs,
  });
}

/** The cause that a server names when it lags behind the requested version (apimachinery meta/v1 CauseType). */
export const resourceVersionTooLarge = 'ResourceVersionTooLarge';

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
