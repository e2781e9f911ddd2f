import { existsSync, readFileSync, rmSync } from 'node:fs';
import { endMembers } from './cgroups.ts';
import { removeCheckoutFolder } from './checkout-folder.ts';
import { unplugHost } from './cluster-network.ts';
import { claim } from './cluster-owner.ts';
import { existingCluster } from './existing-cluster.ts';
import { checkoutFolders, hostLink, stateFolders } from './layout.ts';
import { run } from './run-command.ts';

export type DownResult =
  | { readonly kind: 'down' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refused'; readonly message: string };

/** Ends the cluster of this machine if this checkout may, and removes all that it made. */
export async function down(checkout: string): Promise<DownResult> {
  const there = existingCluster();
  const claimed = claim(there, checkout);
  if (claimed.kind === 'theirs') return { kind: 'refused', message: claimed.message };
  const anything = claimed.kind !== 'nothing' || existsSync(stateFolders.root);
  await tearDown();
  if (there.owner !== undefined) removeCheckoutFolder(checkoutFolders(there.owner.checkout));
  return { kind: anything ? 'down' : 'nothing' };
}

/**
 * Removes whatever there is of a cluster, known by its cgroups, its link and its folder alone, so that a crash at
 * any moment of `up` or of this leaves nothing that it does not find. Namespaces, their links, mounts and firewall
 * rules end with the processes. The folder goes last: it says whose the rest was.
 */
export async function tearDown(): Promise<void> {
  await endMembers();
  if (existsSync(`/sys/class/net/${hostLink}`)) await unplugHost();
  for (const target of mountsBelow(stateFolders.root)) await run('umount', [target]);
  rmSync(stateFolders.root, { recursive: true, force: true });
}

/** There are none in our namespace, unless someone made one; deleting through it would delete what is behind it. */
function mountsBelow(folder: string): string[] {
  const targets = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  return targets.filter((target) => target.startsWith(`${folder}/`)).toReversed();
}
