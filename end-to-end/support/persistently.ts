import { setTimeout as sleep } from 'node:timers/promises';
import { WrongBytes } from './read-stream-frames.ts';

/** What became of all attempts so far; `failed`: they were cut or refused. */
export type AttemptCounts = { readonly complete: number; readonly failed: number };

/** Workers that try the same again and again, until they are disposed of. */
export type PersistentWorkers = AsyncDisposable & {
  readonly counts: () => AttemptCounts;
  /** What was received and is wrong, as opposed to an attempt that failed. */
  readonly wrong: () => readonly string[];
};

const pauseMs = 500;

/** Starts that many workers. An attempt ends when the signal aborts; one that throws has failed. */
export function persistently(
  workers: number,
  attempt: (signal: AbortSignal) => Promise<void>,
): PersistentWorkers {
  const stopping = new AbortController();
  const { signal } = stopping;
  const wrong: string[] = [];
  let complete = 0;
  let failed = 0;

  async function work(): Promise<void> {
    while (!signal.aborted) {
      try {
        await attempt(signal);
        complete += 1;
      } catch (error) {
        if (error instanceof WrongBytes) wrong.push(error.message);
        if (!signal.aborted) failed += 1;
      }
      await sleep(pauseMs);
    }
  }

  const working = Promise.all(Array.from({ length: workers }, work));
  return {
    counts: () => ({ complete, failed }),
    wrong: () => wrong,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await working;
    },
  };
}
