import type { BackoffOptions } from '../base/backoff.ts';
import type { RateLimits } from '../base/rate-limiter.ts';
import type { EventWriterOptions } from './event-writer.ts';
import type { SpamLimits } from './spam-filter.ts';

/** How many Events are written, kept and retried. Times are in milliseconds. */
export type EventLimits = {
  readonly queue: number;
  /** Failures of the API server until an Event is given up; a server that cannot be reached is retried without limit. */
  readonly tries: number;
  readonly remembered: EventWriterOptions['remembered'];
  /** How long the recorder writes after it was disposed of. */
  readonly flushMs: number;
  readonly rate: RateLimits;
  /** An Event that has waited this long is written at once, so that none is late because of others. */
  readonly maxDelayMs: number;
  readonly spam: Partial<SpamLimits>;
  readonly backoff: BackoffOptions;
};

/** docs/decisions/0022-events-are-rate-limited-but-never-late.md has the reasons. */
export const defaultEventLimits: EventLimits = {
  queue: 1_000,
  tries: 12,
  remembered: 1_000,
  flushMs: 5_000,
  rate: { burst: 10, everyMs: 200 },
  maxDelayMs: 5_000,
  spam: {},
  backoff: {},
};
