import type { Plan } from '../planner/plan.ts';
import type { CaptureStatuses } from './capture-status.ts';

/**
 * Why the agent is not ready; empty when every capture that the plan wants runs, waits for its Pod's network, or has
 * failed or been refused once. Names no Pod: anyone may ask the agent's port.
 */
export function unreadyReasons(plan: Plan | undefined, status: Pick<CaptureStatuses, 'of'>): string[] {
  if (!plan) return ['the Pods of this Node are not listed yet'];
  const missing = [...plan.decisions].filter(
    ([uid, decision]) => decision.kind === 'record' && !status.of(uid),
  ).length;
  return missing === 0 ? [] : [`captures that have not started yet: ${missing}`];
}
