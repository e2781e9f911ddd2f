import type { Clock } from '../../base/clock.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import type { FreezeCapacity } from '../planner/freeze-capacity.ts';
import { type FreezeState, ringInFreezing } from '../storage/freezes.ts';
import type { ObservedFreeze } from './pod-state.ts';

export type FreezeObservation = {
  /** As it is listed; undefined before it is. */
  readonly pod: Pod | undefined;
  readonly isPodSeen: boolean;
  readonly hasEarlierCaptures: boolean;
  readonly capacity: FreezeCapacity | undefined;
  readonly clock: Clock;
};

/** What is in a Pod's folder, with its times by performance.now(). Nothing is known of a Pod without a folder. */
export function observedFreeze(
  { log, rings }: FreezeState = { log: undefined, rings: [] },
  { pod, isPodSeen, hasEarlierCaptures, capacity, clock }: FreezeObservation,
): ObservedFreeze {
  const { bootId } = clock;
  const ageMs = performance.now() - clock.nowMs();
  const freezing = ringInFreezing({ log, rings })?.record;
  const ofThisBoot = rings.flatMap(({ record }) =>
    record.clock.bootId === bootId ? record.clock.startMs : [],
  );
  const startMs = freezing?.clock.bootId === bootId ? freezing.clock.startMs : Number.NEGATIVE_INFINITY;
  return {
    pod,
    isPodSeen,
    hasEarlierCaptures,
    bootId,
    log,
    ring: freezing && { number: freezing.number, upTo: freezing.upTo, sinceMs: ageMs + startMs },
    lastMs: ofThisBoot.length === 0 ? undefined : ageMs + Math.max(...ofThisBoot),
    capacity,
  };
}
