/**
 * Returns the result for `key`: of the run that is in progress for it, otherwise of a new one. Rejects with the signal's
 * reason when that aborts; the run continues for its other callers.
 */
export type SharedWork<R> = (key: string, signal: AbortSignal) => Promise<R>;

/** Shares the runs of `work`, whose signal aborts when no caller waits for its result. */
export function sharedWork<R>(work: (key: string, signal: AbortSignal) => Promise<R>): SharedWork<R> {
  const runs = new Map<string, Run<R>>();

  function start(key: string): Run<R> {
    const unwanted = new AbortController();
    const run = { unwanted, result: work(key, unwanted.signal), waiters: 0 };
    runs.set(key, run);
    return run;
  }

  return async (key, signal) => {
    signal.throwIfAborted();
    const run = runs.get(key) ?? start(key);
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    run.waiters += 1;
    try {
      return await Promise.race([run.result, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', abort);
      run.waiters -= 1;
      if (run.waiters === 0) {
        runs.delete(key);
        run.unwanted.abort();
      }
    }
  };
}

type Run<R> = {
  readonly unwanted: AbortController;
  readonly result: Promise<R>;
  waiters: number;
};
