export type PaceLimits = {
  /** So many at once, after a rest. */
  readonly burst: number;
  /** Then one in so many milliseconds. */
  readonly everyMs: number;
};

/** Gives back how many milliseconds the next one has to wait; who asks takes its turn. By a clock that nobody sets. */
export function pace(
  { burst, everyMs }: PaceLimits,
  now: () => number = () => performance.now(),
): () => number {
  let turnMs = Number.NEGATIVE_INFINITY;
  return () => {
    const at = now();
    const waitMs = Math.max(0, turnMs - at);
    turnMs = Math.max(turnMs, at - (burst - 1) * everyMs) + everyMs;
    return waitMs;
  };
}
