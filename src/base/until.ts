import { setTimeout as sleep } from 'node:timers/promises';

export type UntilOptions = {
  /** What is waited for, as the error names it: "timed out after 10 s waiting for <what>". */
  readonly what: string;
  /** Generous: only a failing wait reaches it. 10 s unless set. */
  readonly deadlineMs?: number;
  /** The pause between two calls of the probe. 5 ms unless set; more where the probe starts a process. */
  readonly everyMs?: number;
};

/** What a probe returns: undefined and false mean "not yet"; everything else, 0 and '' too, ends the wait. */
export type Probed<T> = T | undefined | false;

/**
 * Calls `probe` until it returns something other than undefined and false, and returns that. An error of the probe
 * ends the wait.
 *
 * @throws Error naming `what` once the deadline has passed.
 */
export async function until<T>(
  probe: () => Probed<T> | Promise<Probed<T>>,
  { what, deadlineMs = 10_000, everyMs = 5 }: UntilOptions,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) {
      throw new Error(`timed out after ${deadlineMs / 1_000} s waiting for ${what}`);
    }
    await sleep(everyMs);
  }
}

/** Whether `probe` returns true within `withinMs`: for what must not happen, which only waiting can show. */
export async function happens(
  probe: () => boolean | Promise<boolean>,
  { withinMs }: { readonly withinMs: number },
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    if (await probe()) return true;
    await sleep(5);
  }
  return false;
}
