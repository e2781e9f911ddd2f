import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Which checkout the cluster of this machine belongs to. It stands outside every checkout. */
export type Owner = {
  readonly checkout: string;
  /** What it was made from (cluster-version.ts). */
  readonly version: string;
  /** ISO 8601. */
  readonly since: string;
  /** Set at the end of `up`: without it `up` was cut short, or is at work (lock.ts tells which). */
  readonly complete: boolean;
};

/** What there is on the machine when a command has the lock. */
export type ExistingCluster = {
  readonly owner: Owner | undefined;
  /** Whether any process of the cluster lives. */
  readonly alive: boolean;
  readonly ownerCheckoutExists: boolean;
};

/** What `up` or `down` of a checkout may do. */
export type Claim =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'ours' }
  | { readonly kind: 'leftover' }
  | { readonly kind: 'theirs'; readonly message: string };

/**
 * One cluster a machine: a live one belongs to the checkout that made it; a dead or half-made one (a reboot, a
 * killed `up`), or one whose checkout is gone, is anybody's to clean up.
 */
export function claim({ owner, alive, ownerCheckoutExists }: ExistingCluster, checkout: string): Claim {
  if (owner === undefined) return { kind: alive ? 'leftover' : 'nothing' };
  if (!alive || !owner.complete || !ownerCheckoutExists) return { kind: 'leftover' };
  if (owner.checkout === checkout) return { kind: 'ours' };
  const message =
    `this machine's cluster belongs to ${owner.checkout}, since ${owner.since}; ` +
    `to stop it: make -C ${owner.checkout} cluster-down`;
  return { kind: 'theirs', message };
}

/** Undefined if there is no record, or none that says whose the cluster is. */
export function readOwner(file: string): Owner | undefined {
  try {
    const record: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isOwner(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

export function writeOwner(file: string, owner: Owner): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(owner, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}

function isOwner(value: unknown): value is Owner {
  return (
    typeof value === 'object' &&
    value !== null &&
    'checkout' in value &&
    typeof value.checkout === 'string' &&
    'version' in value &&
    typeof value.version === 'string' &&
    'since' in value &&
    typeof value.since === 'string' &&
    'complete' in value &&
    typeof value.complete === 'boolean'
  );
}
