/** How long a reader has been behind without a break, and how much it has taken in that time. */
export type ReaderPace = { readonly behindMs: number; readonly takenBytes: number };

export type PaceCheck = {
  /** The time since the check before. */
  readonly checkEveryMs: number;
  /** Taken since then. */
  readonly takenBytes: number;
  /** It had taken everything at some moment since then: what is slow is not the reader. */
  readonly wasIdle: boolean;
  readonly slowAfterMs: number;
};

/** A reader that takes less than this per second keeps files and memory of the agent for too long. */
const leastBytesPerSecond = 64 * 1024;

export const startingPace: ReaderPace = { behindMs: 0, takenBytes: 0 };

/** The pace with one more check; `tooSlow` if a reader was behind for `slowAfterMs` and took less than 64 KiB/s. Pure. */
export function readerPaceAfter(pace: ReaderPace, check: PaceCheck): ReaderPace | 'tooSlow' {
  if (check.wasIdle) return startingPace;
  const behindMs = pace.behindMs + check.checkEveryMs;
  const takenBytes = pace.takenBytes + check.takenBytes;
  if (behindMs < check.slowAfterMs) return { behindMs, takenBytes };
  return takenBytes * 1_000 < leastBytesPerSecond * behindMs ? 'tooSlow' : startingPace;
}
