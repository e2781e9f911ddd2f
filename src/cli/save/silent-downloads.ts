/** Which downloads wait for bytes, so that a person learns what a command waits for. */
export type SilentDownloads = {
  /** The download waits from this time on; performance.now(). */
  readonly waits: (download: number, fromMs: number) => void;
  readonly done: (download: number) => void;
  /** Those that have waited for too long now, each once until it waits anew. */
  readonly due: (nowMs: number) => readonly number[];
};

export function silentDownloads(afterMs: number): SilentDownloads {
  const since = new Map<number, { readonly fromMs: number; readonly isSaid: boolean }>();
  return {
    waits(download, fromMs) {
      since.set(download, { fromMs, isSaid: false });
    },
    done(download) {
      since.delete(download);
    },
    due(nowMs) {
      const due = [...since].filter(([, { fromMs, isSaid }]) => !isSaid && nowMs - fromMs >= afterMs);
      for (const [download, { fromMs }] of due) since.set(download, { fromMs, isSaid: true });
      return due.map(([download]) => download);
    },
  };
}
