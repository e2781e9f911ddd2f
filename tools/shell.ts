import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a command with its output on this terminal; gives back its exit code. */
export async function show(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<number> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  const [code]: (number | null)[] = await once(child, 'close');
  return code ?? 1;
}

/** As show(), and throws when the command fails. */
export async function must(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const code = await show(command, args, env);
  if (code !== 0) throw new Failed(`${command} ${args.join(' ')} ended with ${code}`);
}

/** Runs a command and gives back what it printed; throws with its standard error when it fails. */
export async function output(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  const [code]: (number | null)[] = await once(child, 'close');
  if (code !== 0) throw new Failed(`${command} ${args.join(' ')}: ${texts.stderr.trim()}`);
  return texts.stdout;
}

/** A failure that says all a person needs: it is printed without a stack. */
export class Failed extends Error {}

/** Runs a command line tool of this folder; gives its exit code to the shell. */
export async function tool(main: () => Promise<number | undefined>): Promise<void> {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    process.stderr.write(
      `${error instanceof Failed ? error.message : (error instanceof Error && error.stack) || String(error)}\n`,
    );
    process.exitCode = 1;
  }
}
