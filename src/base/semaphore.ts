/**
 * Runs `work` when fewer than the permitted number of others run, in the order of the calls, and returns its result or
 * its error. If the signal aborts while it waits, it is not run, and the promise rejects with the signal's reason.
 */
export type Semaphore = <R>(work: () => Promise<R>, signal: AbortSignal) => Promise<R>;

/** A semaphore with that many permits. */
export function semaphore(permits: number): Semaphore {
  let free = permits;
  /** In the order of the calls. */
  const waiting = new Set<() => void>();

  async function acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      waiting.delete(resolve);
      reject(signal.reason);
    };
    waiting.add(resolve);
    signal.addEventListener('abort', leave, { once: true });
    await promise.finally(() => signal.removeEventListener('abort', leave));
  }

  /** The permit goes to the call that has waited longest. */
  function release(): void {
    const [next] = waiting;
    if (!next) free += 1;
    else {
      waiting.delete(next);
      next();
    }
  }

  return async (work, signal) => {
    await acquire(signal);
    try {
      return await work();
    } finally {
      release();
    }
  };
}
