import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Argv } from './run-program.ts';

/** A program of the testbed that runs next to the test; killed when it is disposed of. */
export type Child<Result> = AsyncDisposable & {
  readonly pid: number | undefined;
  /** Resolves to its first output; rejects if it ends before. */
  readonly ready: Promise<string>;
  /** Resolves to its whole output, parsed; rejects with its standard error if it fails. */
  readonly ended: Promise<Result>;
  /** Sends SIGTERM; resolves as `ended`. */
  readonly stop: () => Promise<Result>;
};

/** Starts a program; `parse` makes the result of its standard output. */
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
  // A caller may wait for neither: a child that is killed at disposal is not an unhandled rejection.
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
