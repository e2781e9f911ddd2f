import { setTimeout } from 'node:timers/promises';

export type UntilOptions = {
  /** Generous: it is reached by a failing test alone. */
  readonly deadlineMs?: number;
  /** Ends the error: "not within 10000 ms: <what>". */
  readonly what: string;
};

/** Asks again until the answer is neither undefined nor false, and gives it back; throws at the deadline. */
export async function until<T>(
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  { deadlineMs = 10_000, what }: UntilOptions,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await setTimeout(5);
  }
}

/** Whether it comes to that within so long: for what should not happen, which shows by waiting alone. */
export async function happens(
  ask: () => boolean | Promise<boolean>,
  { withinMs }: { readonly withinMs: number },
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    if (await ask()) return true;
    await setTimeout(5);
  }
  return false;
}
