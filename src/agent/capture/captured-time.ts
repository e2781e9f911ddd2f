/** For how long a Pod is captured. A time at which several captures capture counts once. All times in milliseconds. */
export type CapturedTime = {
  /** A capture ends, of those that have captured since these times; `left` are those of the others. */
  readonly end: (listeningMs: readonly number[], left: readonly number[], nowMs: number) => void;
  /** By now, while captures go on that have captured since these times. */
  readonly sumMs: (listeningMs: readonly number[], nowMs: number) => number;
};

/** Starts at 0. */
export function capturedTime(): CapturedTime {
  let endedMs = 0;
  /** Since when at least one capture captures; undefined if that is only known of those that go on. */
  let sinceMs: number | undefined;
  const runningMs = (listeningMs: readonly number[], nowMs: number) =>
    listeningMs.length === 0 ? 0 : nowMs - (sinceMs ?? Math.min(...listeningMs));
  return {
    end(listeningMs, left, nowMs) {
      if (listeningMs.length === 0) return;
      sinceMs ??= Math.min(...listeningMs);
      if (left.length > 0) return;
      endedMs += nowMs - sinceMs;
      sinceMs = undefined;
    },
    sumMs: (listeningMs, nowMs) => endedMs + runningMs(listeningMs, nowMs),
  };
}
