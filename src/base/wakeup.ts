/** Wakes one loop that looks at its whole state each time: a ring while nobody waits is not lost. */
export type Wakeup = {
  readonly wake: () => void;
  /** Resolves at the next ring, at once if one came since the last wait, or after `ms`. */
  readonly wait: (ms?: number) => Promise<void>;
};

export function wakeup(): Wakeup {
  let rung = false;
  let wake: (() => void) | undefined;

  return {
    wake() {
      rung = true;
      wake?.();
    },
    async wait(ms) {
      if (!rung) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const timer = ms === undefined ? undefined : setTimeout(resolve, Math.max(0, ms));
        await promise;
        clearTimeout(timer);
        wake = undefined;
      }
      rung = false;
    },
  };
}
