import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { until } from '../../src/base/until.ts';
import type { Argv } from '../../src/testbed/run-program.ts';
import { endWithin } from './end-child.ts';

/** A running tcpdump or dumpcap. */
export type CaptureProgram = {
  readonly pid: number;
  /** Resolves when the program has ended, to all that it printed on stderr. */
  readonly ended: Promise<string>;
  /** Ends the program with TERM, after 30 s with KILL, and resolves to all that it printed on stderr. */
  readonly stop: () => Promise<string>;
};

type CaptureProgramOptions = {
  /** For errors. */
  readonly name: string;
  readonly argv: Argv;
  /** What the program prints on stderr once it captures. */
  readonly listening: string;
};

const killAfterMs = 30_000;

/** Without -Z root, tcpdump drops its privileges before it opens the file, which would need another owner then. */
export const keepRoot = ['-Z', 'root'] as const;

/** Returns when the program captures; throws when it does not within 30 s. */
export async function startCaptureProgram({
  name,
  argv: [program, ...args],
  listening,
}: CaptureProgramOptions): Promise<CaptureProgram> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const closed = once(child, 'close');
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} cannot be started`);
  try {
    await until(() => stderr.includes(listening), { what: `${name} listening`, deadlineMs: 30_000 });
  } catch (cause) {
    child.kill('SIGKILL');
    throw new Error(`${name} does not capture, and printed: ${stderr}`, { cause });
  }
  return {
    pid,
    ended: closed.then(() => stderr),
    async stop() {
      await endWithin(child, closed, killAfterMs);
      return stderr;
    },
  };
}
