import { existsSync } from 'node:fs';
import { members } from './cgroups.ts';
import { readOwner, type Standing } from './cluster-owner.ts';
import { stateFolders } from './layout.ts';

/** Looks at what there is of a cluster on this machine. */
export function standing(): Standing {
  const owner = readOwner(stateFolders.owner);
  return {
    owner,
    alive: members().length > 0,
    ownerCheckoutExists: owner !== undefined && existsSync(owner.checkout),
  };
}
