import type { Plan } from '../planner/plan.ts';
import type { CaptureStatuses } from './capture-status.ts';

/** A capture that has not started by then keeps no agent unready: its owner could change its filter again and again. */
const longestStartMs = 60_000;

/**
 * Why the agent is not ready; empty when every capture that the plan wants runs, waits for its Pod's network, has failed
 * or been refused once, or was given a minute to start. Names no Pod: anyone may ask the agent's port.
 */
export type UnreadyReasons = (plan: Plan | undefined, status: Pick<CaptureStatuses, 'of'>) => string[];

/** `nowMs` is of a monotonic clock. */
export function unreadyReasons(nowMs: () => number): UnreadyReasons {
  /** Since when each capture has been missing, by the UID of its Pod. */
  let missing: ReadonlyMap<string, number> = new Map();
  return (plan, status) => {
    if (!plan) return ['the Pods of this Node are not listed yet'];
    const now = nowMs();
    missing = new Map(
      [...plan.decisions].flatMap(([uid, decision]) =>
        decision.kind === 'record' && !status.of(uid) ? [[uid, missing.get(uid) ?? now] as const] : [],
      ),
    );
    const starting = [...missing.values()].filter((sinceMs) => now - sinceMs < longestStartMs).length;
    return starting === 0 ? [] : [`captures that have not started yet: ${starting}`];
  };
}
