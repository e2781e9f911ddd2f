/** Work that is asked for more often than it can run: one run at a time, and one more for whatever came meanwhile. */
export type Coalesced = {
  readonly run: () => void;
  /** Resolves when nothing runs and nothing is asked for. */
  readonly settled: () => Promise<void>;
};

/** `onError` gets what `work` throws; the next call runs it again. */
export function coalesced(work: () => Promise<void>, onError: (error: unknown) => void): Coalesced {
  let running: Promise<void> | undefined;
  let again = false;

  async function runUntilCurrent(): Promise<void> {
    do {
      again = false;
      await work().catch(onError);
    } while (again);
    running = undefined;
  }

  return {
    run() {
      again = true;
      running ??= runUntilCurrent();
    },
    settled: async () => running,
  };
}
