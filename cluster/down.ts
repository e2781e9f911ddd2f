import { existsSync, readFileSync, rmSync } from 'node:fs';
import { endMembers } from './cgroups.ts';
import { removeCheckoutFolder } from './checkout-folder.ts';
import { claim } from './cluster-claim.ts';
import { unplugHost } from './cluster-network.ts';
import { existingCluster } from './existing-cluster.ts';
import { checkoutFolders, hostLink, stateFolders } from './layout.ts';
import { runCommand } from './run-command.ts';

export type DownResult =
  | { readonly kind: 'down' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refused'; readonly message: string };

/** Ends the cluster of this machine, if this checkout may, and removes everything that it made. */
export async function down(checkout: string): Promise<DownResult> {
  const existing = existingCluster();
  const claimed = claim(existing, checkout);
  if (claimed.kind === 'theirs') return { kind: 'refused', message: claimed.message };
  const foundAnything = claimed.kind !== 'nothing' || existsSync(stateFolders.root);
  await tearDown();
  if (existing.owner !== undefined) removeCheckoutFolder(checkoutFolders(existing.owner.checkout));
  return { kind: foundAnything ? 'down' : 'nothing' };
}

/**
 * Removes whatever is left of a cluster. It finds it only by its cgroups, its link and its folder, so that a crash at
 * any moment of `up` or of this leaves nothing behind that a second run does not find. Namespaces, their links, mounts
 * and firewall rules end with the processes. The folder is deleted last, because it names the owner of the rest.
 */
export async function tearDown(): Promise<void> {
  await endMembers();
  if (existsSync(`/sys/class/net/${hostLink}`)) await unplugHost();
  for (const target of mountsBelow(stateFolders.root)) await runCommand('umount', [target]);
  rmSync(stateFolders.root, { recursive: true, force: true });
}

/** The cluster mounts nothing in our mount namespace. If someone did, deleting would reach what is mounted. */
function mountsBelow(folder: string): string[] {
  const targets = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  return targets.filter((target) => target.startsWith(`${folder}/`)).toReversed();
}
