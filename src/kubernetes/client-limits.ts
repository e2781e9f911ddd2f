/** What one request to the API server may take. Times are in milliseconds. */
export type ClientLimits = {
  readonly connectMs: number;
  /** For a request without a deadline of its own. */
  readonly deadlineMs: number;
  /** The largest answer, after decompression. */
  readonly answerBytes: number;
};

export const defaultClientLimits: ClientLimits = {
  connectMs: 10_000,
  deadlineMs: 30_000,
  answerBytes: 64 * 1024 * 1024,
};
