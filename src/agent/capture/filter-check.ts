import { type ExecFileException, execFile } from 'node:child_process';
import { semaphore } from '../../base/semaphore.ts';
import { sharedWork } from '../../base/shared-work.ts';
import type { CaptureSpec } from '../planner/annotations.ts';

/** Whether tcpdump compiles an expression; `problem` is in tcpdump's words. */
export type FilterCheck =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'rejected'; readonly problem: string }
  /** The check itself failed: nothing is known about the expression. */
  | { readonly kind: 'failed'; readonly problem: string };

/** Checks a filter. Rejects with the signal's reason when that aborts, and for no other reason. */
export type CheckFilter = (filter: string, signal: AbortSignal) => Promise<FilterCheck>;

export type FilterOptions = {
  /** The user that compiles it, without any capability; a number. */
  readonly userId: number;
  /** How much CPU time an expression may take to compile. */
  readonly cpuSeconds?: number;
  /** How much memory it may take: many Pods can be annotated at once, and each check uses its own. */
  readonly memoryMegabytes?: number;
  /** How long the whole check may take on a busy Node. */
  readonly timeoutMs?: number;
  /** Ends the check, which has failed then. */
  readonly signal?: AbortSignal;
};

/**
 * Checks filters for the whole agent, at most `atOnce` at the same time: the cores of a Node are for its Pods. A filter
 * that several Pods ask for at the same time is compiled once. The time limit begins when the check does.
 */
export function filterChecks({
  atOnce,
  ...options
}: Omit<FilterOptions, 'signal'> & { readonly atOnce: number }): CheckFilter {
  const limit = semaphore(atOnce);
  return sharedWork((filter, signal) => limit(() => checkFilter(filter, { ...options, signal }), signal));
}

/**
 * Compiles the expression as tcpdump will, in a process without any rights and in an empty network namespace, because
 * `tcpdump -d` asks DNS for names even with -n. It opens no device (-y), so it reads no packet. Never throws.
 */
export async function checkFilter(
  filter: NonNullable<CaptureSpec['filter']>,
  { userId, cpuSeconds = 1, memoryMegabytes = 64, timeoutMs = 10_000, signal }: FilterOptions,
): Promise<FilterCheck> {
  const noRights = ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--no-new-privs'];
  const args = [
    ['--net', 'prlimit', `--cpu=${cpuSeconds}:${cpuSeconds + 1}`, `--as=${memoryMegabytes * 1_048_576}`],
    ['setpriv', `--reuid=${userId}`, `--regid=${userId}`, '--clear-groups', ...noRights, '--pdeathsig=KILL'],
    // One argument after --: never an option, whatever it looks like.
    ['tcpdump', '-n', '-d', '-y', 'EN10MB', '--', filter],
  ].flat();
  const options = {
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    signal,
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  } as const;
  return await new Promise((resolve) => {
    execFile('unshare', args, options, (error, _stdout, stderr) => {
      resolve(error ? failureOf(error, stderr, { cpuSeconds, memoryMegabytes }) : { kind: 'accepted' });
    });
  });
}

/** Only tcpdump's own message, or its limits, say something about the expression. */
function failureOf(
  error: ExecFileException,
  stderr: string,
  { cpuSeconds, memoryMegabytes }: Required<Pick<FilterOptions, 'cpuSeconds' | 'memoryMegabytes'>>,
): FilterCheck {
  const message = stderr.trim().split('\n').at(-1) ?? '';
  // Not SIGKILL: the kernel sends that when the Node is short of memory.
  if (error.signal === 'SIGXCPU')
    return { kind: 'rejected', problem: `it takes more than ${cpuSeconds} s to compile` };
  // This is all that libpcap prints when it gets no memory.
  if (message === 'tcpdump: malloc') {
    return { kind: 'rejected', problem: `it takes more than ${memoryMegabytes} MB to compile` };
  }
  if (typeof error.code === 'number' && message.startsWith('tcpdump: ')) {
    return { kind: 'rejected', problem: message.slice('tcpdump: '.length, 300) };
  }
  return { kind: 'failed', problem: message || error.message };
}
