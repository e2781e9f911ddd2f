import type { ExistingCluster } from './existing-cluster.ts';

/**
 * What `up` or `down` of a checkout may do with the cluster of this machine: `ours` may be changed, a `leftover` may be
 * removed by anyone, `theirs` belongs to another checkout and must be left alone.
 */
export type Claim =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'ours' }
  | { readonly kind: 'leftover' }
  | { readonly kind: 'theirs'; readonly message: string };

/**
 * Decides whose the cluster is. A machine has one cluster at most, and a running one belongs to the checkout that made
 * it. A dead or incomplete one (after a reboot, or when `up` was killed), or one whose checkout was deleted, belongs to
 * no checkout.
 */
export function claim({ owner, isRunning, ownerCheckoutExists }: ExistingCluster, checkout: string): Claim {
  if (owner === undefined) return { kind: isRunning ? 'leftover' : 'nothing' };
  if (!isRunning || !owner.complete || !ownerCheckoutExists) return { kind: 'leftover' };
  if (owner.checkout === checkout) return { kind: 'ours' };
  const message =
    `the cluster of this machine belongs to ${owner.checkout}, since ${owner.since}; ` +
    `to remove it, run: make -C ${owner.checkout} cluster-down`;
  return { kind: 'theirs', message };
}
