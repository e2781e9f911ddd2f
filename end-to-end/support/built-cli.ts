import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { checkoutFolders } from '../../cluster/layout.ts';
import { type TemporaryFolder, temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { buildCli } from '../../tools/build-cli.ts';
import { checkout } from '../../tools/target.ts';

/** kubectl podcap as `make cli` builds it, and the cluster's kubectl, in a folder of PATH. */
export type BuiltCli = AsyncDisposable & {
  /** With PATH and KUBECONFIG. */
  readonly env: NodeJS.ProcessEnv;
  readonly folder: string;
};

/** Builds the program into a folder of its own. */
export async function builtCli(): Promise<BuiltCli> {
  const folder: TemporaryFolder = await temporaryFolder();
  const { bin, kubeconfig } = checkoutFolders(checkout);
  await buildCli(folder.path);
  await symlink(join(bin, 'kubectl'), join(folder.path, 'kubectl'));
  return {
    env: { PATH: `${folder.path}:${process.env['PATH']}`, HOME: folder.path, KUBECONFIG: kubeconfig },
    folder: folder.path,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
