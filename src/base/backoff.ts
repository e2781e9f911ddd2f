/** Waits that grow from `minMs` to `maxMs` while something keeps failing, spread by jitter. */
export type Backoff = {
  /** Milliseconds to wait before the next try: doubles at each call, and is between half of that and all of it. */
  readonly next: () => number;
  /** After a success: the next wait is the shortest again. */
  readonly reset: () => void;
};

export type BackoffOptions = {
  readonly minMs?: number;
  readonly maxMs?: number;
  /** A number from 0 up to 1, as Math.random gives it; tests pass their own. */
  readonly random?: () => number;
};

/** The one backoff of the project: from 0.25 to 0.5 s up to 15 to 30 s, unless said otherwise. */
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
