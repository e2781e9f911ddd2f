import { lruCache } from '../../base/lru-cache.ts';
import { type RateLimiter, type RateLimits, rateLimiter } from '../../base/rate-limiter.ts';
import { type LinkRefusal, refuse } from './agent-identity.ts';

/** How the agents have used their links, by Pod UID: what a link may cost at most is of no use if the next one begins anew. */
export type LinkConduct = {
  /** Counts one more link of the agent, or says why it has to wait. */
  readonly connect: (podUid: string) => LinkRefusal | undefined;
  /** Its link was ended for a flood. */
  readonly flooded: (podUid: string) => void;
};

/** Agents that restart, hubs that are updated and networks that break off need a few; an agent waits between them anyway. */
const linkRate: RateLimits = { burst: 16, everyMs: 10_000 };
/** A flood is noticed after a second or two: the pause makes that little. */
const floodPauseMs = 60_000;
const knownAgents = 16_384;

/** No agent is known yet. `nowMs`: of a monotonic clock. */
export function linkConduct(nowMs: () => number = () => performance.now()): LinkConduct {
  const links = lruCache<RateLimiter>(knownAgents);
  const floodsMs = lruCache<number>(knownAgents);
  return {
    connect(podUid) {
      const floodMs = floodsMs.get(podUid);
      if (floodMs !== undefined && nowMs() - floodMs < floodPauseMs) {
        return refuse('Flood', `this agent has flooded the hub: it has to wait ${floodPauseMs / 1_000} s`);
      }
      const limiter = links.get(podUid) ?? rateLimiter(linkRate, nowMs);
      links.set(podUid, limiter);
      if (limiter.waitMs() > 0) {
        const seconds = Math.ceil(limiter.waitMs() / 1_000);
        return refuse('Flood', `this agent has connected too often: it has to wait ${seconds} s`);
      }
      limiter.take();
      return undefined;
    },
    flooded: (podUid) => floodsMs.set(podUid, nowMs()),
  };
}
