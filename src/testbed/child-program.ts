import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Argv } from './run-program.ts';

/** A program of the testbed that runs beside the test; killed when it is disposed of. */
export type Child<Result> = AsyncDisposable & {
  readonly pid: number | undefined;
  /** Settles at its first output, and gives that; an error when it ends before. */
  readonly ready: Promise<string>;
  /** What it said as a whole, parsed; an error with its standard error when it did not end well. */
  readonly ended: Promise<Result>;
  /** Asks it to end (TERM). */
  readonly stop: () => Promise<Result>;
};

export function startChild<Result>(
  [program, ...args]: Argv,
  parse: (output: string) => Result,
): Child<Result> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));

  const ended = once(child, 'close').then(([code, signal]) => {
    if (code === 0) return parse(output);
    throw new Error(`${program} ${args.join(' ')} ended with ${code ?? signal}: ${errors}`);
  });
  const ready = Promise.race([once(child.stdout, 'data'), ended]).then(() => output);
  // Both are for whoever waits: a child that is killed at disposal is no unhandled error.
  for (const promise of [ended, ready]) promise.catch(() => {});

  return {
    pid: child.pid,
    ready,
    ended,
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended.catch(() => {});
    },
  };
}
