import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Argv } from '../../src/testbed/run-program.ts';
import { type TemporaryFolder, temporaryFolder } from '../../src/testbed/temporary-folder.ts';

/** What one run of a program took. */
export type MeasuredRun = {
  readonly seconds: number;
  /** Of all its threads. */
  readonly cpuSeconds: number;
  /** The most memory that was resident, with what is mapped from files, in MB of 1,000,000 bytes. */
  readonly maxRssMegabytes: number;
};

/** A run; or the last line that the program wrote to standard error before it failed. */
export type RunResult =
  | ({ readonly kind: 'done' } & MeasuredRun)
  | { readonly kind: 'failed'; readonly message: string };

export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>;
  /** The limit of open files: by default that of a shell in Debian. */
  readonly openFiles?: number;
};

const defaultOpenFiles = 1_024;

/** Runs a program to its end with GNU time, its standard output to /dev/null. */
export async function measureRun(command: Argv, options: RunOptions = {}): Promise<RunResult> {
  await using folder = await temporaryFolder();
  return await measureIn(folder, command, options);
}

async function measureIn(
  folder: TemporaryFolder,
  command: Argv,
  { env = {}, openFiles = defaultOpenFiles }: RunOptions,
): Promise<RunResult> {
  const report = join(folder.path, 'time');
  const timed = ['--format=%U %S %M', `--output=${report}`, 'prlimit', `--nofile=${openFiles}`, ...command];
  const startMs = performance.now();
  const child = spawn('time', timed, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code]: (number | null)[] = await once(child, 'close');
  const seconds = (performance.now() - startMs) / 1_000;
  if (code !== 0) return { kind: 'failed', message: stderr.trim().split('\n').at(-1) ?? '' };
  const [user = Number.NaN, system = Number.NaN, kib = Number.NaN] = (await readFile(report, 'utf8'))
    .split(' ')
    .map(Number);
  return { kind: 'done', seconds, cpuSeconds: user + system, maxRssMegabytes: (kib * 1_024) / 1_000_000 };
}
