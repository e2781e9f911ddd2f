import { existsSync } from 'node:fs';
import { members } from './cgroups.ts';
import { type Owner, readOwner } from './cluster-owner.ts';
import { stateFolders } from './layout.ts';

/** What a command finds of a cluster on this machine, once it holds the lock. */
export type ExistingCluster = {
  /** Undefined if no record says whose the cluster is. */
  readonly owner: Owner | undefined;
  /** Whether any process of the cluster is running. */
  readonly isRunning: boolean;
  readonly ownerCheckoutExists: boolean;
};

/** Finds the cluster of this machine, whichever checkout made it, or what is left of one. */
export function existingCluster(): ExistingCluster {
  const owner = readOwner(stateFolders.owner);
  return {
    owner,
    isRunning: members().length > 0,
    ownerCheckoutExists: owner !== undefined && existsSync(owner.checkout),
  };
}
