/** Waits that grow from `minMs` to `maxMs` while something keeps failing, spread by jitter. */
export type Backoff = {
  /** Milliseconds before the next try, at random between half of the full wait and all of it. The full wait doubles. */
  readonly next: () => number;
  /** After a success: the next wait is the shortest again. */
  readonly reset: () => void;
};

export type BackoffOptions = {
  readonly minMs?: number;
  readonly maxMs?: number;
  /** A number from 0 up to 1, as Math.random returns it; tests pass their own. */
  readonly random?: () => number;
};

/** The backoff of the whole project. Unless set, the first wait is 0.25 to 0.5 s, the longest one 15 to 30 s. */
export function backoff(options: BackoffOptions = {}): Backoff {
  const { minMs = 500, maxMs = 30_000, random = Math.random } = options;
  let failures = 0;
  return {
    next() {
      const full = Math.min(maxMs, minMs * 2 ** failures);
      failures += 1;
      return full / 2 + (full / 2) * random();
    },
    reset() {
      failures = 0;
    },
  };
}
