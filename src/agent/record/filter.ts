import { execFile } from 'node:child_process';
import type { CaptureSpec } from '../decide/request.ts';

/** Whether tcpdump takes an expression; `problem` is in its own words. */
export type FilterCheck =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'rejected'; readonly problem: string };

export type FilterOptions = {
  /** The user that compiles it, without any capability. */
  readonly userId: number;
  /** An expression can take for ever to compile. */
  readonly timeoutMs?: number;
};

/**
 * Compiles the expression as tcpdump will, by a process that can do nothing, in an empty network namespace: `tcpdump
 * -d` asks DNS for names, -n or not. No device is opened (-y), so no packet is read.
 */
export async function checkFilter(
  filter: NonNullable<CaptureSpec['filter']>,
  { userId, timeoutMs = 1_000 }: FilterOptions,
): Promise<FilterCheck> {
  const nothing = ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--no-new-privs'];
  const args = [
    [
      '--net',
      'setpriv',
      `--reuid=${userId}`,
      `--regid=${userId}`,
      '--clear-groups',
      ...nothing,
      '--pdeathsig=KILL',
    ],
    // One argument after --: never an option, whatever it looks like.
    ['tcpdump', '-n', '-d', '-y', 'EN10MB', '--', filter],
  ].flat();
  return await new Promise((resolve) => {
    const options = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    } as const;
    execFile('unshare', args, options, (error, _stdout, stderr) => {
      if (!error) resolve({ kind: 'accepted' });
      else if (error.killed)
        resolve({ kind: 'rejected', problem: `it takes longer than ${timeoutMs} ms to compile` });
      else resolve({ kind: 'rejected', problem: lastWords(stderr) || error.message });
    });
  });
}

function lastWords(stderr: string): string {
  const line = stderr.trim().split('\n').at(-1) ?? '';
  return line.replace(/^tcpdump: /, '').slice(0, 300);
}
