import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter } from 'node:path';
import type { Readable } from 'node:stream';
import { checkoutFolders } from '../../cluster/layout.ts';
import { checkout } from '../../tools/target.ts';

/** `kubectl podcap`, as it runs. */
export type PodcapCli = AsyncDisposable & {
  readonly stdout: Readable;
  /** What it has written so far. */
  readonly printed: () => string;
  /** What it has said so far on standard error. */
  readonly said: () => string;
  /** As Ctrl-C does. */
  readonly interrupt: () => void;
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: Buffer; readonly stderr: string }>;
};

const { bin, kubeconfig } = checkoutFolders(checkout);

/** The environment in which `kubectl podcap` finds the cluster of this checkout. */
export const podcapEnvironment: NodeJS.ProcessEnv = {
  ...process.env,
  KUBECONFIG: kubeconfig,
  PATH: [bin, process.env['PATH']].join(delimiter),
};

/** The program of this checkout. */
export const podcapProgram = [process.execPath, `${checkout}/src/cli/main.ts`] as const;

/** Starts it with these arguments; what it prints is kept. */
export function podcapCli(...args: readonly string[]): PodcapCli {
  const [program, main] = podcapProgram;
  const child = spawn(program, [main, ...args], {
    env: podcapEnvironment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(child, 'close').then(([code]: unknown[]) => ({
    code: typeof code === 'number' ? code : null,
    stdout: Buffer.concat(chunks),
    stderr: said,
  }));
  return {
    stdout: child.stdout,
    printed: () => Buffer.concat(chunks).toString(),
    said: () => said,
    interrupt: () => void child.kill('SIGINT'),
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
