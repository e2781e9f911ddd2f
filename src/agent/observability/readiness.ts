import type { Plan } from '../planner/decisions.ts';
import type { CaptureStatuses } from './capture-status.ts';

/** Captures that have not all started by then keep no agent unready: an owner could change a filter again and again. */
const longestStartMs = 60_000;

/**
 * Why the agent is not ready; empty when every capture that the plan wants runs, waits for its Pod's network, or has
 * failed or been refused once, and after a minute in which that was never so. Names no Pod: anyone may ask the agent's
 * port.
 */
export type UnreadyReasons = (known: {
  readonly plan: Plan | undefined;
  /** What is not listed yet, as people call it. */
  readonly unlisted: string | undefined;
  readonly status: Pick<CaptureStatuses, 'of'>;
}) => string[];

/** `nowMs` is of a monotonic clock. */
export function unreadyReasons(nowMs: () => number): UnreadyReasons {
  let missingSinceMs: number | undefined;
  return ({ plan, unlisted, status }) => {
    if (!plan || unlisted !== undefined) return [`${unlisted} are not listed yet`];
    const missing = [...plan.decisions].filter(
      ([uid, decision]) => decision.kind === 'record' && !status.of(uid),
    ).length;
    missingSinceMs = missing === 0 ? undefined : (missingSinceMs ?? nowMs());
    if (missingSinceMs === undefined || nowMs() - missingSinceMs >= longestStartMs) return [];
    return [`captures that have not started yet: ${missing}`];
  };
}
