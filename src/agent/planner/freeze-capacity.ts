import type { CaptureSpec } from './annotations.ts';
import type { Bytes } from './free-capacity.ts';

/**
 * Whether there is capacity for one more frozen ring of a Pod. `replaces`: only in place of its newest one. `none`: not
 * even then.
 */
export type FreezeCapacity = 'enough' | 'replaces' | 'none';

/** One Pod whose ring may have to be frozen. */
export type FreezeCapacityRequest = {
  readonly uid: string;
  /** The most that one more frozen ring takes. */
  readonly needBytes: number;
  /** It is counted already. */
  readonly isReserved: boolean;
  /** The size of its newest frozen ring, unless that is the first one, which is always kept. */
  readonly replaceableBytes: number | undefined;
};

/** Whether something may freeze the ring of such a request. */
export function mayFreeze({ freeze }: Pick<CaptureSpec, 'freeze'>): boolean {
  return freeze.on.length > 0 || freeze.text !== undefined;
}

/**
 * Shares out what every admitted request leaves, by UID. Pure. The first frozen ring of a Pod is reserved with its
 * request; the others get what is left, in the order given, and where more is taken than there is, none.
 */
export function freezeCapacities(
  requests: readonly FreezeCapacityRequest[],
  spare: Bytes,
): { readonly capacity: ReadonlyMap<string, FreezeCapacity>; readonly spare: Bytes } {
  let { budgetBytes, diskBytes } = spare;
  const take = (bytes: number) => {
    budgetBytes -= bytes;
    diskBytes -= bytes;
  };
  const capacity = new Map<string, FreezeCapacity>();
  for (const { uid, needBytes, isReserved, replaceableBytes } of requests) {
    if (isReserved) take(-needBytes);
    const leftBytes = Math.min(budgetBytes, diskBytes);
    const granted = grantedOf(leftBytes, needBytes, replaceableBytes);
    if (isReserved || granted === 'enough') take(needBytes);
    else if (granted === 'replaces') take(Math.max(0, needBytes - (replaceableBytes ?? 0)));
    capacity.set(uid, granted);
  }
  return { capacity, spare: { budgetBytes, diskBytes } };
}

function grantedOf(
  leftBytes: number,
  needBytes: number,
  replaceableBytes: number | undefined,
): FreezeCapacity {
  if (leftBytes >= needBytes) return 'enough';
  return replaceableBytes !== undefined && leftBytes + replaceableBytes >= needBytes ? 'replaces' : 'none';
}
