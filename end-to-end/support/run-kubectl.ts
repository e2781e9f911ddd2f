import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { checkoutFolders } from '../../cluster/layout.ts';
import type { Argv } from '../../src/testbed/run-program.ts';

const folders = checkoutFolders(join(import.meta.dirname, '../..'));

/** Runs kubectl on the cluster of this checkout and returns its standard output; throws when kubectl fails. */
export async function kubectl(...args: readonly string[]): Promise<string> {
  const [program, ...all] = kubectlCommand(...args);
  const { stdout } = await promisify(execFile)(program, all, { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** The same, for output that is no text. */
export async function kubectlBytes(...args: readonly string[]): Promise<Buffer> {
  const [program, ...all] = kubectlCommand(...args);
  const options = { maxBuffer: 512 * 1024 * 1024, encoding: 'buffer' } as const;
  const { stdout } = await promisify(execFile)(program, all, options);
  return stdout;
}

/** The command line that `kubectl` runs, for callers that need the process or its standard error. */
export function kubectlCommand(...args: readonly string[]): Argv {
  return [join(folders.bin, 'kubectl'), '--kubeconfig', folders.kubeconfig, ...args];
}
