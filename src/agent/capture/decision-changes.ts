import { isDeepStrictEqual } from 'node:util';
import type { Pod } from '../../kubernetes/pod.ts';
import type { Decision } from '../planner/decisions.ts';
import type { PodMoments } from './freeze-causes.ts';

/** A Pod object changes all the time: of the Pod itself, only the UID counts. */
export function isSameDecision(a: Decision | undefined, b: Decision | undefined): boolean {
  return isDeepStrictEqual(withUidOnly(a), withUidOnly(b));
}

function withUidOnly(decision: Decision | undefined): unknown {
  return decision?.pod ? { ...decision, pod: decision.pod.uid } : decision;
}

/** Undefined for a Pod that the API server does not list, or of which something is to be deleted. */
export function listedPod(decision: Decision | undefined): Pod | undefined {
  return decision?.kind === 'delete' ? undefined : decision?.pod;
}

/** Whether something has happened that could freeze its ring. */
export function hasMoved(before: Pod | undefined, now: Pod | undefined): boolean {
  return now !== undefined && !isDeepStrictEqual(before && momentsOf(before), momentsOf(now));
}

function momentsOf({ phase, reason, containers, deletionTimestamp }: Pod): PodMoments {
  return {
    phase,
    containers,
    ...(reason !== undefined && { reason }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
  };
}
