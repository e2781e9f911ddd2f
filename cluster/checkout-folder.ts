import { chmodSync, copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Binaries } from './binaries.ts';
import { type CheckoutFolders, nodes, stateFolders } from './layout.ts';

/** Programs for users that are built by their first call, not by `up`. */
const builtOnFirstUse = ['helm'];

/** Writes .cluster/ of a checkout: the kubeconfig, and the programs to use it with. */
export function writeCheckoutFolder(folders: CheckoutFolders, binaries: Binaries): void {
  mkdirSync(folders.bin, { recursive: true });
  copyFileSync(stateFolders.adminKubeconfig, `${folders.kubeconfig}.new`);
  chmodSync(`${folders.kubeconfig}.new`, 0o600);
  renameSync(`${folders.kubeconfig}.new`, folders.kubeconfig);

  const kubectl = binaries.get('kubectl');
  if (kubectl !== undefined) {
    rmSync(join(folders.bin, 'kubectl'), { force: true });
    symlinkSync(kubectl, join(folders.bin, 'kubectl'));
  }
  const main = `'${process.execPath}' '${join(folders.root, 'cluster/main.ts')}'`;
  for (const name of builtOnFirstUse) {
    const lines = ['#!/bin/sh', `# Builds ${name} when it is first used.`];
    writeScript(folders, name, [...lines, `program=$(${main} build ${name}) && exec "$program" "$@"`]);
  }
  for (const { name } of nodes) {
    const lines = ['#!/bin/sh', `# Runs a command on ${name}, for example: ${name} ctr -n k8s.io tasks ls`];
    writeScript(folders, name, [...lines, `exec ${main} enter ${name} "$@"`]);
  }
}

/** Deletes .cluster/ once the cluster has ended: a kubeconfig without a cluster would only mislead. */
export function removeCheckoutFolder(folders: CheckoutFolders): void {
  rmSync(folders.cluster, { recursive: true, force: true });
}

function writeScript(folders: CheckoutFolders, name: string, lines: readonly string[]): void {
  const file = join(folders.bin, name);
  rmSync(file, { force: true });
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o755 });
}
