import { setTimeout as sleep } from 'node:timers/promises';

export type UntilOptions = {
  readonly what: string;
  readonly deadlineMs: number;
  readonly everyMs?: number;
};

/**
 * Asks again and again until `probe` gives something other than undefined, and gives that.
 *
 * @throws Error naming `what` once the deadline has passed.
 */
export async function until<T>(
  probe: () => Promise<T | undefined> | T | undefined,
  { what, deadlineMs, everyMs = 50 }: UntilOptions,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`waited ${deadlineMs / 1000} s in vain for: ${what}`);
    await sleep(everyMs);
  }
}
