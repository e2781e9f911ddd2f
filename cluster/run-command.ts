import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

export type RunOptions = {
  readonly cwd?: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** The command's standard input; empty without it. */
  readonly input?: string;
  /** A file to read standard input from instead. */
  readonly inputFile?: string;
  /** Called with what the command writes to standard output and error, while it runs. */
  readonly onOutput?: (chunk: string) => void;
};

/**
 * Runs a command to its end and returns its standard output.
 *
 * The command is killed when this process dies, so that a killed `up` leaves no build running: setpriv sets the
 * parent-death signal (prctl(2) PR_SET_PDEATHSIG) and execs the command.
 *
 * @throws Error with the command, its exit code or signal, and the end of its output.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', command, ...args], {
    cwd: options.cwd,
    env: options.environment ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? String(code)));
  });
  let tail = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      tail = (tail + chunk).slice(-4_000);
      options.onOutput?.(chunk);
    });
  }
  const [output, end] = await Promise.all([
    text(child.stdout),
    ended,
    pipeline(inputOf(options), child.stdin).catch(() => undefined), // EPIPE: a command that ends early prints why
  ]);
  if (end !== '0') {
    throw new Error(`${command} ${args.join(' ')} ended with ${end}\n${tail.trimEnd()}`);
  }
  return output;
}

function inputOf({ input = '', inputFile }: RunOptions): Readable {
  return inputFile === undefined
    ? Readable.from([Buffer.from(input)])
    : createReadStream(inputFile, { highWaterMark: 1 << 20 });
}

/** Whether a command exits with 0. */
export async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return await runCommand(command, args).then(
    () => true,
    () => false,
  );
}
