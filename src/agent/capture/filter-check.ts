import { type ExecFileException, execFile } from 'node:child_process';
import { lruCache } from '../../base/lru-cache.ts';
import { semaphore } from '../../base/semaphore.ts';
import { sharedWork } from '../../base/shared-work.ts';
import type { CaptureSpec } from '../planner/annotations.ts';

/**
 * Whether tcpdump compiles an expression for any kind of interface; `problem` is in tcpdump's words. Whether it does for
 * the Pod's interface, and whether the kernel runs it, shows when tcpdump starts there (preload/filter.c).
 */
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

/** Of how many filters the result is known: a heavy one that each new Pod of a Job asks for is compiled once. */
const maxKnown = 256;

/**
 * Checks filters for the whole agent, at most `atOnce` at the same time: the cores of a Node are for its Pods. A filter
 * that several Pods ask for is compiled once. The time limit begins when the check does.
 */
export function filterChecks({
  atOnce,
  ...options
}: Omit<FilterOptions, 'signal'> & { readonly atOnce: number }): CheckFilter {
  const limit = semaphore(atOnce);
  const known = lruCache<FilterCheck>(maxKnown);
  return sharedWork(async (filter, signal) => {
    const before = known.get(filter);
    if (before) return before;
    const check = await limit(() => checkFilter(filter, { ...options, signal }), signal);
    if (check.kind !== 'failed') known.set(filter, check);
    return check;
  });
}

/** What is not valid for Ethernet is valid for one of the others, if for any, such as `type mgt` for Wi-Fi. */
const linkTypes = ['EN10MB', 'IEEE802_11_RADIO', 'LINUX_SLL', 'RAW'];

/** Checks one filter, for Ethernet first. Never throws. */
export async function checkFilter(filter: string, options: FilterOptions): Promise<FilterCheck> {
  let problem: string | undefined;
  for (const linkType of linkTypes) {
    const compilation = await compile(filter, linkType, options);
    if (compilation.kind !== 'invalid') return compilation;
    problem ??= compilation.problem;
  }
  return { kind: 'rejected', problem: problem ?? '' };
}

/** `invalid`: not a filter for this link type. What is rejected is too heavy for any. */
type Compilation = FilterCheck | { readonly kind: 'invalid'; readonly problem: string };

/**
 * Compiles the expression as tcpdump will, in a process without any rights and in an empty network namespace, because
 * `tcpdump -d` asks DNS for names even with -n. It opens no device (-y), so it reads no packet. Never throws.
 */
async function compile(
  filter: NonNullable<CaptureSpec['filter']>,
  linkType: string,
  { userId, cpuSeconds = 1, memoryMegabytes = 64, timeoutMs = 10_000, signal }: FilterOptions,
): Promise<Compilation> {
  const noRights = ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--no-new-privs'];
  const args = [
    ['--net', 'prlimit', `--cpu=${cpuSeconds}:${cpuSeconds + 1}`, `--as=${memoryMegabytes * 1_048_576}`],
    ['setpriv', `--reuid=${userId}`, `--regid=${userId}`, '--clear-groups', ...noRights, '--pdeathsig=KILL'],
    // One argument after --: never an option, whatever it looks like.
    ['tcpdump', '-n', '-d', '-y', linkType, '--', filter],
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

/** How tcpdump ends if it has a bug that the expression reveals. */
const crashes: ReadonlySet<string | undefined> = new Set([
  'SIGSEGV',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGILL',
]);

/** Only tcpdump's own message, its limits or its crash say something about the expression. */
function failureOf(
  error: ExecFileException,
  stderr: string,
  { cpuSeconds, memoryMegabytes }: Required<Pick<FilterOptions, 'cpuSeconds' | 'memoryMegabytes'>>,
): Compilation {
  const message = stderr.trim().split('\n').at(-1) ?? '';
  // Not SIGKILL: the kernel sends that when the Node is short of memory.
  if (error.signal === 'SIGXCPU') return rejected(`it takes more than ${cpuSeconds} s to compile`);
  if (crashes.has(error.signal)) return rejected(`tcpdump ends with ${error.signal} when it compiles it`);
  // This is all that libpcap prints when it gets no memory.
  if (message === 'tcpdump: malloc') return rejected(`it takes more than ${memoryMegabytes} MB to compile`);
  // 4,096 instructions, the most that a kernel runs, have less than the 1 MiB that is read.
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
    return rejected('its program is too long for the kernel');
  if (typeof error.code === 'number' && message.startsWith('tcpdump: ')) {
    return { kind: 'invalid', problem: message.slice('tcpdump: '.length, 300) };
  }
  return { kind: 'failed', problem: message || error.message };
}

function rejected(problem: string): Compilation {
  return { kind: 'rejected', problem };
}
