import { execFile } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { checkoutFolders } from '../../cluster/layout.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { buildCli } from '../../tools/build-cli.ts';
import { checkout } from '../../tools/target.ts';

/** `kubectl podcap`, as it is built for users, on the cluster of this checkout. */
export type PodcapPlugin = AsyncDisposable & {
  /** Runs it without a terminal, and resolves once it has ended, in whatever way. */
  readonly run: (...args: readonly string[]) => Promise<PluginEnd>;
};

export type PluginEnd = { readonly code: number; readonly stdout: string; readonly stderr: string };

const folders = checkoutFolders(checkout);

/** Builds it in a folder of its own, which is in the PATH of kubectl. */
export async function podcapPlugin(): Promise<PodcapPlugin> {
  const folder = await temporaryFolder();
  await buildCli(folder.path);
  const path = [folder.path, folders.bin, process.env['PATH']].join(delimiter);
  const env = { ...process.env, PATH: path, KUBECONFIG: folders.kubeconfig };
  return {
    async run(...args) {
      const { promise, resolve } = Promise.withResolvers<PluginEnd>();
      const program = join(folders.bin, 'kubectl');
      const child = execFile(program, ['podcap', ...args], { env }, (_, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      });
      return await promise;
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
