import { type ExecFileException, execFile } from 'node:child_process';
import type { CaptureSpec } from '../planner/annotations.ts';

/** Whether tcpdump takes an expression; `problem` is in its own words. */
export type FilterCheck =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'rejected'; readonly problem: string }
  /** The check itself did not come to an end: that says nothing of the expression. */
  | { readonly kind: 'failed'; readonly problem: string };

export type FilterOptions = {
  /** The user that compiles it, without any capability. */
  readonly userId: number;
  /** How much CPU an expression may take to compile, and how long that may last on a busy Node. */
  readonly cpuSeconds?: number;
  /** How much memory: many Pods can be annotated at once, and each check has its own. */
  readonly memoryMegabytes?: number;
  readonly timeoutMs?: number;
};

/**
 * Compiles the expression as tcpdump will, by a process that can do nothing, in an empty network namespace: `tcpdump
 * -d` asks DNS for names, -n or not. No device is opened (-y), so no packet is read.
 */
export async function checkFilter(
  filter: NonNullable<CaptureSpec['filter']>,
  { userId, cpuSeconds = 1, memoryMegabytes = 64, timeoutMs = 10_000 }: FilterOptions,
): Promise<FilterCheck> {
  const nothing = ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--no-new-privs'];
  const args = [
    ['--net', 'prlimit', `--cpu=${cpuSeconds}:${cpuSeconds + 1}`, `--as=${memoryMegabytes * 1_048_576}`],
    ['setpriv', `--reuid=${userId}`, `--regid=${userId}`, '--clear-groups', ...nothing, '--pdeathsig=KILL'],
    // One argument after --: never an option, whatever it looks like.
    ['tcpdump', '-n', '-d', '-y', 'EN10MB', '--', filter],
  ].flat();
  const options = {
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  } as const;
  return await new Promise((resolve) => {
    execFile('unshare', args, options, (error, _stdout, stderr) => {
      resolve(error ? failureOf(error, stderr, { cpuSeconds, memoryMegabytes }) : { kind: 'accepted' });
    });
  });
}

/** Only tcpdump's own words, or its limits, speak of the expression. */
function failureOf(
  error: ExecFileException,
  stderr: string,
  { cpuSeconds, memoryMegabytes }: Required<Pick<FilterOptions, 'cpuSeconds' | 'memoryMegabytes'>>,
): FilterCheck {
  const words = stderr.trim().split('\n').at(-1) ?? '';
  // SIGKILL would come from whoever is short of memory.
  if (error.signal === 'SIGXCPU')
    return { kind: 'rejected', problem: `it takes more than ${cpuSeconds} s to compile` };
  // All that libpcap says when it gets no memory.
  if (words === 'tcpdump: malloc') {
    return { kind: 'rejected', problem: `it takes more than ${memoryMegabytes} MB to compile` };
  }
  if (typeof error.code === 'number' && words.startsWith('tcpdump: ')) {
    return { kind: 'rejected', problem: words.slice('tcpdump: '.length, 300) };
  }
  return { kind: 'failed', problem: words || error.message };
}
