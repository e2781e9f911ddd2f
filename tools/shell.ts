import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a command with its output on this terminal, and returns its exit code. */
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

/** Like show(), but throws Failed if the command fails. */
export async function must(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const code = await show(command, args, env);
  if (code !== 0) throw new Failed(`${command} ${args.join(' ')} exited with ${code}`);
}

/** Runs a command and returns its standard output. Throws Failed, with its standard error, if it fails. */
export async function output(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  const [code]: (number | null)[] = await once(child, 'close');
  if (code !== 0) throw new Failed(`${command} ${args.join(' ')}: ${texts.stderr.trim()}`);
  return texts.stdout;
}

/** An error whose message is all that a user needs: it is printed without a stack trace. */
export class Failed extends Error {}

/** Runs the main function of a command line tool. Its result, or 1 if it throws, becomes the exit code. */
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
