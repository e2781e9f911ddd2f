import { join } from 'node:path';
import { stateFolders } from './layout.ts';
import { runCommand } from './run-command.ts';

const program = join(stateFolders.bin, 'kubectl');
const asAdministrator = ['--kubeconfig', stateFolders.adminKubeconfig];

/** Runs the cluster's own kubectl as its administrator and returns what it printed. */
export async function kubectl(...args: readonly string[]): Promise<string> {
  return await runCommand(program, [...asAdministrator, ...args]);
}

/** Applies objects as the cluster's administrator, with server-side apply. */
export async function apply(objects: readonly unknown[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  await runCommand(program, [...asAdministrator, 'apply', '--server-side', '-f', '-'], {
    input: JSON.stringify(list),
  });
}
