import type { Clock } from './clock.ts';

/** Does `work` every so often, never twice at a time, until it is disposed of. */
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

/** Does `work` as soon as it is asked for, and then no sooner than `ms` later, once for all who asked meanwhile. */
export function throttle(ms: number, work: () => void): Disposable & { readonly run: () => void } {
  let resting: NodeJS.Timeout | undefined;
  let isAsked = false;
  let isDisposed = false;
  const run = () => {
    if (isDisposed) return;
    isAsked = resting !== undefined;
    if (isAsked) return;
    resting = setTimeout(() => {
      resting = undefined;
      if (isAsked) run();
    }, ms);
    work();
  };
  return {
    run,
    [Symbol.dispose]() {
      isDisposed = true;
      clearTimeout(resting);
    },
  };
}

/** Calls `wake` once, at the moment that was named last; undefined names none. */
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

/** What setTimeout can count; a longer one would fire at once. */
const longestTimeoutMs = 2 ** 31 - 1;
