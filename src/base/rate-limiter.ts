/** A token bucket. */
export type RateLimits = {
  /** How many tokens the bucket holds. */
  readonly burst: number;
  /** Milliseconds until the next token is added. */
  readonly everyMs: number;
};

export type RateLimiter = {
  /** Milliseconds until a token is available; 0 if one is. */
  readonly waitMs: () => number;
  /** Takes a token, even if none is available. A caller that did not wait costs the next one at most one token. */
  readonly take: () => void;
};

/** A bucket that is full at first, on the monotonic clock. */
export function rateLimiter(
  { burst, everyMs }: RateLimits,
  now: () => number = () => performance.now(),
): RateLimiter {
  /** When the next token is available. */
  let nextMs = Number.NEGATIVE_INFINITY;
  return {
    waitMs: () => Math.max(0, nextMs - now()),
    take() {
      const at = now();
      const fullMs = at - (burst - 1) * everyMs;
      nextMs = Math.min(Math.max(nextMs, fullMs), at) + everyMs;
    },
  };
}
