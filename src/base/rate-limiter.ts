export type RateLimits = {
  /** So many at once, after a rest. */
  readonly burst: number;
  /** Then one in so many milliseconds. */
  readonly everyMs: number;
};

export type RateLimiter = {
  /** How long until the next turn; 0 if it has come. */
  readonly waitMs: () => number;
  /** Takes a turn, whether it has come or not: who did not wait leaves the others one turn to wait for at most. */
  readonly take: () => void;
};

/** Turns, by a clock that nobody sets. */
export function rateLimiter(
  { burst, everyMs }: RateLimits,
  now: () => number = () => performance.now(),
): RateLimiter {
  let turnMs = Number.NEGATIVE_INFINITY;
  return {
    waitMs: () => Math.max(0, turnMs - now()),
    take() {
      const at = now();
      const longestRestMs = (burst - 1) * everyMs;
      turnMs = Math.min(Math.max(turnMs, at - longestRestMs), at) + everyMs;
    },
  };
}
