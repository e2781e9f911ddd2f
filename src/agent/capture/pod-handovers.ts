import type { Handovers } from './handovers.ts';
import type { Observed, RingSpec } from './pod-state.ts';
import { capturesOf, isHandedOver, takesSpareRing } from './ring-captures.ts';

/**
 * The rings of one Pod of which a capture runs that is one more than the plan counts, until what it replaces has ended.
 * `observed` is without the captures that are being frozen.
 */
export type PodHandovers = {
  /** A capture of that ring is about to start. */
  readonly begin: (ring: RingSpec, rings: readonly RingSpec[], observed: Observed) => void;
  /** Ends those of which one capture is left. */
  readonly end: (rings: readonly RingSpec[], observed: Observed) => void;
};

export function podHandovers(options: {
  readonly handovers: Handovers;
  readonly requestPlan: () => void;
}): PodHandovers {
  const begun = new Map<string, Disposable>();
  return {
    begin(ring, rings, observed) {
      if (begun.has(ring.interface) || !takesSpareRing(ring, rings, observed)) return;
      begun.set(ring.interface, options.handovers.begin(ring));
    },
    end(rings, observed) {
      for (const [name, handover] of begun) {
        if (!isHandedOver({ interface: name }, rings, observed)) continue;
        handover[Symbol.dispose]();
        begun.delete(name);
        // It grows no further while it takes over from another.
        if (capturesOf({ interface: name }, observed)[0]?.isRingFull) options.requestPlan();
      }
    },
  };
}
