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
