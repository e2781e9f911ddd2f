/** Resource versions of one replica: when something arrived, in microseconds of Unix time. */
export type ResourceVersions = {
  /** Higher than every one before. */
  readonly next: () => number;
  /** At least as high as every one before; every later one is higher. */
  readonly current: () => number;
};

/** Versions that rise even if the clock is set back. They are safe integers until the year 2255. */
export function resourceVersions(nowMs: () => number = Date.now): ResourceVersions {
  let last = 0;
  return {
    next() {
      last = Math.max(nowMs() * 1_000, last + 1);
      return last;
    },
    current() {
      last = Math.max(nowMs() * 1_000, last);
      return last;
    },
  };
}
