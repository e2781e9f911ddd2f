import { longestTimeoutMs } from './timers.ts';

/** Wakes one loop that checks its whole state each time. A call while the loop does not wait is not lost. */
export type Wakeup = {
  readonly wake: () => void;
  /** Resolves at the next `wake`, at once if it was called since the last wait, or after `ms`, 24 days at most. */
  readonly wait: (ms?: number) => Promise<void>;
};

/** A wakeup that nothing has called yet. */
export function wakeup(): Wakeup {
  let isAwake = false;
  let endWait: (() => void) | undefined;

  return {
    wake() {
      isAwake = true;
      endWait?.();
    },
    async wait(ms) {
      if (!isAwake) {
        const { promise, resolve } = Promise.withResolvers<void>();
        endWait = resolve;
        const timer =
          ms === undefined ? undefined : setTimeout(resolve, Math.min(longestTimeoutMs, Math.max(0, ms)));
        await promise;
        clearTimeout(timer);
        endWait = undefined;
      }
      isAwake = false;
    },
  };
}
