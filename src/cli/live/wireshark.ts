import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { CaptureOutput } from '../../commands/capture-output.ts';
import { outputTo } from '../../commands/standard-output.ts';
import { cannotWrite, exitCodes, pausedUnreadSeconds, unreadMessage } from '../../commands/terminal.ts';
import { CommandFailure } from '../cli-command.ts';
import { findProgram } from '../kubectl/find-program.ts';

/** A Wireshark that shows what is written to it. It stays open when the output ends: people look at what they have. */
export type Wireshark = {
  readonly output: CaptureOutput;
  /** Aborts when its window is closed. */
  readonly ended: AbortSignal;
};

/** The path of Wireshark. Throws CommandFailure if there is none: before anything is started. */
export async function findWireshark(env: NodeJS.ProcessEnv): Promise<string> {
  const found = (await findProgram('wireshark', env)) ?? (await findProgram(macProgram, env));
  if (found !== undefined) return found;
  throw new CommandFailure(
    'Wireshark was not found: install it (https://www.wireshark.org/download.html) or put wireshark into PATH. ' +
      'Without it, kubectl podcap live prints lines, and --to FILE writes a capture for another machine',
    exitCodes.failed,
  );
}

/** Where the installer of macOS puts it; PATH has it only if the user has asked for that. */
const macProgram = '/Applications/Wireshark.app/Contents/MacOS/Wireshark';

export type WiresharkOptions = {
  readonly env: NodeJS.ProcessEnv;
  /** Whether the list of packets has a column for the Pod. */
  readonly hasNames: boolean;
};

/** Starts it. It reads from a pipe at once, and has its own session, so that Ctrl-C ends the capture and not Wireshark. */
export async function startWireshark(path: string, { env, hasNames }: WiresharkOptions): Promise<Wireshark> {
  const columns = hasNames ? ['-o', `gui.column.format:${columnsWithPods}`] : [];
  const child = spawn(path, ['-k', '-i', '-', ...columns], {
    env,
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = new AbortController();
  child.once('exit', () => ended.abort(new Error('Wireshark was closed')));
  try {
    await once(child, 'spawn');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(`Wireshark cannot be started: ${why}`, exitCodes.failed, { cause: error });
  }
  child.unref();
  const output = outputTo(child.stdin, { unreadMs: pausedUnreadSeconds * 1_000 });
  return {
    ended: ended.signal,
    output: {
      async write(bytes) {
        try {
          const written = await output.write(bytes);
          return written === 'unread'
            ? { kind: 'failed', message: unreadMessage(pausedUnreadSeconds) }
            : { kind: written };
        } catch (error) {
          return ended.signal.aborted
            ? { kind: 'closed' }
            : { kind: 'failed', message: cannotWrite('Wireshark', error) };
        }
      },
      async complete() {
        child.stdin.end();
        return { kind: 'written' };
      },
      async [Symbol.asyncDispose]() {
        output[Symbol.dispose]();
        child.stdin.destroy();
      },
    },
  };
}

/** Wireshark's own columns, and one more. Only for this window: the user's own stay as they are. */
const columnsWithPods = [
  ['No.', '%m'],
  ['Time', '%t'],
  ['Pod', '%Cus:frame.interface_name:0:R'],
  ['Source', '%s'],
  ['Destination', '%d'],
  ['Protocol', '%p'],
  ['Length', '%L'],
  ['Info', '%i'],
]
  .flat()
  .map((text) => `"${text}"`)
  .join(',');
