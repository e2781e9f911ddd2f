import type { Plan } from '../planner/plan.ts';
import type { CaptureStatuses } from './capture-status.ts';

/**
 * What is missing, in words; nothing when every capture that is wanted runs, waits for its Pod's network, or has failed
 * or been refused once. Anyone may ask the agent's port: no Pod is named.
 */
export function unreadyReasons(planned: Plan | undefined, status: Pick<CaptureStatuses, 'of'>): string[] {
  if (!planned) return ['the Pods of this Node are not listed yet'];
  const missing = [...planned.decisions].filter(
    ([uid, decision]) => decision.kind === 'record' && !status.of(uid),
  ).length;
  return missing === 0 ? [] : [`captures that have not started yet: ${missing}`];
}
