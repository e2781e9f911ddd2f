import { lruCache } from './lru-cache.ts';

/** Says whether one more may pass for this key: a token bucket each, by a clock that nobody sets. */
export type SpamFilter = (key: string) => boolean;

export type SpamLimits = { readonly burst: number; readonly refillMs: number; readonly keys: number };

/** client-go's numbers (tools/record/events_cache.go): 25 at once, then one in five minutes. */
export const defaultSpamLimits: SpamLimits = { burst: 25, refillMs: 300_000, keys: 1_000 };

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
