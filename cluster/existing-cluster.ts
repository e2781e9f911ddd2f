import { existsSync } from 'node:fs';
import { members } from './cgroups.ts';
import { type ExistingCluster, readOwner } from './cluster-owner.ts';
import { stateFolders } from './layout.ts';

/** Looks at what there is of a cluster on this machine. */
export function existingCluster(): ExistingCluster {
  const owner = readOwner(stateFolders.owner);
  return {
    owner,
    alive: members().length > 0,
    ownerCheckoutExists: owner !== undefined && existsSync(owner.checkout),
  };
}
