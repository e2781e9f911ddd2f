/** An error as the Kubernetes API says it: a Status object with code and reason. A value, not thrown. */
export type StatusError = {
  readonly kind: 'error';
  /** HTTP status. */
  readonly code: number;
  /** A StatusReason of the Kubernetes API: BadRequest, Forbidden, NotFound, Conflict ... */
  readonly reason: string;
  /** Says what happened and what to do, for people. */
  readonly message: string;
  readonly retryAfterSeconds?: number;
};

/** The Status object of an error. */
export function statusOf({ code, reason, message, retryAfterSeconds }: StatusError): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(retryAfterSeconds !== undefined && { details: { retryAfterSeconds } }),
    code,
  };
}

/** The reasons that the API's own answers have, with their HTTP status; as in apimachinery (metav1.StatusReason). */
const codes = {
  BadRequest: 400,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

/** An error with the HTTP status of its reason. */
export function statusError(
  reason: keyof typeof codes,
  message: string,
  retryAfterSeconds?: number,
): StatusError {
  return {
    kind: 'error',
    code: codes[reason],
    reason,
    message,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
}

/** Whether it is an error, and not the result that was asked for. */
export function isStatusError(value: unknown): value is StatusError {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'error';
}
