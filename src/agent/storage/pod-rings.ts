import type { RingSize } from './ring-size.ts';

/** The rings that are asked for of a Pod: one for each interface, all of the same size. */
export type PodRings = {
  /** At least one. */
  readonly interfaces: readonly string[];
  readonly size: RingSize;
};

/**
 * The interface in whose ring the files of a capture are, given the interface that it captured, if that is known. What
 * is not asked for any more, or not known, is in the first ring: newer files of that one push it out. Pure.
 */
export function ringOf(captured: string | undefined, interfaces: readonly string[]): string {
  const [first = ''] = interfaces;
  return captured !== undefined && interfaces.includes(captured) ? captured : first;
}
