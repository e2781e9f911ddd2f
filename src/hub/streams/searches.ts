import { lruCache } from '../../base/lru-cache.ts';
import { type RateLimiter, type RateLimits, rateLimiter } from '../../base/rate-limiter.ts';

/** Who may ask all agents at once whether they have a Pod: with 1,000 of them, that is 1,000 requests for one. */
export type Searches = {
  /** Counts one more search of the user; false if there have been too many. */
  readonly begin: (user: string) => boolean;
};

/** Of one user: taps of all Pods of an application at once, and then two a second. */
const searchRate: RateLimits = { burst: 128, everyMs: 500 };
const knownUsers = 4_096;

/** Nobody has searched yet. `nowMs`: of a monotonic clock. */
export function searches(nowMs: () => number = () => performance.now()): Searches {
  const limiters = lruCache<RateLimiter>(knownUsers);
  return {
    begin(user) {
      const limiter = limiters.get(user) ?? rateLimiter(searchRate, nowMs);
      limiters.set(user, limiter);
      if (limiter.waitMs() > 0) return false;
      limiter.take();
      return true;
    },
  };
}
