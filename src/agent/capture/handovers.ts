import { mayOverlap } from '../planner/capacity.ts';
import type { Plan } from '../planner/plan.ts';
import type { RingSize } from '../storage/ring-size.ts';

/** Shares out what the newest plan leaves among the captures that are replaced while they run. */
export type Handovers = {
  readonly isAllowed: (size: RingSize) => boolean;
  /** A capture of that size has started beside the one that it replaces. */
  readonly begin: (size: RingSize) => void;
};

/** `planned` is to be called with each plan. Before the first one, no handover is allowed. */
export function openHandovers(): Handovers & { readonly planned: (plan: Pick<Plan, 'spare'>) => void } {
  let spare: Plan['spare'] = { budgetBytes: 0, diskBytes: 0 };
  let begun: readonly RingSize[] = [];
  return {
    isAllowed: (size) => mayOverlap(size, spare, begun),
    begin(size) {
      begun = [...begun, size];
    },
    planned(plan) {
      ({ spare } = plan);
      begun = [];
    },
  };
}
