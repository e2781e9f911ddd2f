import type { Clock } from './clock.ts';

/** Runs `work` every `ms` until it is disposed of; skips a run while the one before still runs. */
export function every(
  ms: number,
  work: () => Promise<void>,
  onError: (error: unknown) => void = () => {},
): Disposable {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= work()
      .catch(onError)
      .finally(() => {
        running = undefined;
      });
  }, ms);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Runs `work` at once when requested, then at most every `ms`: once for all requests in between. */
export function throttle(ms: number, work: () => void): Disposable & { readonly run: () => void } {
  let pause: NodeJS.Timeout | undefined;
  let isRequested = false;
  let isDisposed = false;
  const run = () => {
    if (isDisposed) return;
    isRequested = pause !== undefined;
    if (isRequested) return;
    pause = setTimeout(() => {
      pause = undefined;
      if (isRequested) run();
    }, ms);
    work();
  };
  return {
    run,
    [Symbol.dispose]() {
      isDisposed = true;
      clearTimeout(pause);
    },
  };
}

/** Calls `wake` once, at the time that was set last; undefined sets none. */
export function wakeAt(
  clock: Clock,
  wake: () => void,
): Disposable & { readonly at: (ms: number | undefined) => void } {
  let timer: NodeJS.Timeout | undefined;
  let isDisposed = false;
  const at = (ms: number | undefined) => {
    clearTimeout(timer);
    if (ms === undefined || isDisposed) return;
    timer = setTimeout(wake, Math.min(longestTimeoutMs, Math.max(0, ms - clock.nowMs())));
  };
  return {
    at,
    [Symbol.dispose]() {
      isDisposed = true;
      clearTimeout(timer);
    },
  };
}

/** The most that setTimeout can count; a longer timeout would fire at once. */
export const longestTimeoutMs = 2 ** 31 - 1;
