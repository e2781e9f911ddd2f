import { ipProtocolName } from './ip-protocols.ts';
import { readOther, type Walk } from './walk.ts';

/** What the header of IPv4 or the fragment header of IPv6 says. */
export type Fragment = {
  /** In bytes. */
  readonly offset: number;
  readonly hasMore: boolean;
  readonly id: number;
  readonly protocol: number;
};

/** Reads a fragment without the start of what was fragmented, and returns true: the ports are in another packet. */
export function readFragment(walk: Walk, at: number, fragment: Fragment): boolean {
  const { offset, hasMore, id, protocol } = fragment;
  if (offset === 0) {
    if (hasMore) walk.notes += ` [first fragment, ID ${id}]`;
    return false;
  }
  const last = hasMore ? '' : ', the last';
  readOther(walk, at, `${ipProtocolName(protocol)} fragment at ${offset}${last}, ID ${id}`);
  return true;
}
