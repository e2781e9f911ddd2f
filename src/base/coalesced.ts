/** Work that is requested more often than it can run: one run at a time, and one more for all requests during it. */
export type Coalesced = {
  readonly run: () => void;
  /** Resolves when no run is going on and none is requested. */
  readonly settled: () => Promise<void>;
};

/** Coalesces the requests for `work`. What it throws goes to `onError`; the next request runs it again. */
export function coalesced(work: () => Promise<void>, onError: (error: unknown) => void): Coalesced {
  let running: Promise<void> | undefined;
  let isRequested = false;

  async function runWhileRequested(): Promise<void> {
    do {
      isRequested = false;
      await work().catch(onError);
    } while (isRequested);
    running = undefined;
  }

  return {
    run() {
      isRequested = true;
      running ??= runWhileRequested();
    },
    settled: async () => running,
  };
}
