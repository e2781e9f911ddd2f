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
