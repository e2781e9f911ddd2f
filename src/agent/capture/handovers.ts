import { spareRings } from '../planner/capacity.ts';
import type { Plan } from '../planner/decisions.ts';
import type { RingSize } from '../storage/ring-size.ts';

/** Shares out what the newest plan leaves among the captures that are replaced while they run. */
export type Handovers = {
  /** How many more captures of that size may start beside the ones that they replace. */
  readonly spareRings: (size: RingSize) => number;
  /** A capture of that size starts beside the one that it replaces. To be disposed of when only one of them is left. */
  readonly begin: (size: RingSize) => Disposable;
};

/**
 * `planned` is to be called with each plan: a plan counts one ring for each capture, also while two are written. Before
 * the first one, no handover is allowed.
 */
export function openHandovers(): Handovers & { readonly planned: (plan: Pick<Plan, 'spare'>) => void } {
  let spare: Plan['spare'] = { budgetBytes: 0, diskBytes: 0 };
  const begun = new Set<{ readonly size: RingSize }>();
  return {
    spareRings: (size) =>
      spareRings(
        size,
        spare,
        [...begun].map((each) => each.size),
      ),
    begin(size) {
      const handover = { size };
      begun.add(handover);
      return { [Symbol.dispose]: () => void begun.delete(handover) };
    },
    planned(plan) {
      ({ spare } = plan);
    },
  };
}
