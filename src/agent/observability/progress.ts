/**
 * Whether the agent still does its work. Each piece of work that repeats reports when it is done once more; the agent is
 * stuck if one of them has not for longer than its limit. Only work that this machine can keep from being done counts,
 * whether it succeeds or not: nothing that waits for the API server, a Pod or a user.
 */
export type Progress = {
  /** The limit counts from now, and again from each call of what is returned. */
  readonly expect: (work: RepeatedWork, limitMs: number) => Heartbeat;
  /** What has not been done for longer than its limit, in words: `sampling the disk: not done for 61 s`. */
  readonly stuck: () => string[];
};

/** Reports that the work has been done once more. */
export type Heartbeat = () => void;

export type RepeatedWork = 'planning' | 'sampling the disk' | 'measuring captures' | 'reading the CNI cache';

/** Times of a clock that cannot be set, in milliseconds. */
export function trackProgress(nowMs: () => number = () => performance.now()): Progress {
  const done = new Map<RepeatedWork, { readonly limitMs: number; lastMs: number }>();
  return {
    expect(work, limitMs) {
      const entry = { limitMs, lastMs: nowMs() };
      done.set(work, entry);
      return () => {
        entry.lastMs = nowMs();
      };
    },
    stuck: () =>
      [...done].flatMap(([work, { limitMs, lastMs }]) => {
        const ms = nowMs() - lastMs;
        return ms > limitMs ? [`${work}: not done for ${Math.floor(ms / 1_000)} s`] : [];
      }),
  };
}
