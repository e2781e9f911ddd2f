import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A program and its arguments. */
export type Argv = readonly [program: string, ...args: readonly string[]];

const execute = promisify(execFile);

/** Runs a program to its end and returns its standard output. Throws with its standard error if it fails. */
export async function run([program, ...args]: Argv): Promise<string> {
  const { stdout } = await execute(program, args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
