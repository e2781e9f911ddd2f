import { rateLimiter } from '../../base/rate-limiter.ts';
import type { Log } from '../../kubernetes/logger.ts';
import type { LinkRefusal, LinkRefusalReason } from './agent-identity.ts';

/** Counts and logs the agents that are refused. */
export type RefusedAgents = {
  readonly count: (refusal: LinkRefusal, from: string | undefined) => void;
  /** Since the start. */
  readonly counts: ReadonlyMap<LinkRefusalReason, number>;
};

/** Anybody who reaches the port can cause a line. */
const logRate = { burst: 20, everyMs: 3_000 } as const;

/** Counts every refusal, and logs as many as the rate allows. */
export function refusedAgents(log: Log): RefusedAgents {
  const counts = new Map<LinkRefusalReason, number>();
  const limiter = rateLimiter(logRate);
  return {
    counts,
    count({ reason, message }, from) {
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
      if (limiter.waitMs() > 0) return;
      limiter.take();
      log.warn({ from, reason, message }, 'refused an agent');
    },
  };
}
