import { lruCache } from '../base/lru-cache.ts';

/** Whether one more may pass for this key. Each key has a token bucket, on the monotonic clock. */
export type SpamFilter = (key: string) => boolean;

/** `keys`: how many buckets are kept; the least recently used is dropped. */
export type SpamLimits = { readonly burst: number; readonly refillMs: number; readonly keys: number };

/** As in client-go (tools/record/events_cache.go): 25 at once, then one every five minutes. */
export const defaultSpamLimits: SpamLimits = { burst: 25, refillMs: 300_000, keys: 1_000 };

/** A filter that is full, burst and all, for every key it has not seen. */
export function spamFilter(
  limits: Partial<SpamLimits> = {},
  now: () => number = () => performance.now(),
): SpamFilter {
  const { burst, refillMs, keys } = { ...defaultSpamLimits, ...limits };
  const buckets = lruCache<{ readonly tokens: number; readonly at: number }>(keys);
  return (key) => {
    const at = now();
    const last = buckets.get(key) ?? { tokens: burst, at };
    const tokens = Math.min(burst, last.tokens + (at - last.at) / refillMs);
    const passes = tokens >= 1;
    buckets.set(key, { tokens: passes ? tokens - 1 : tokens, at });
    return passes;
  };
}
