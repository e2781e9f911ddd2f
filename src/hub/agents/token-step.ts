import { type LinkRefusal, refuse } from './agent-identity.ts';
import type { ReviewedToken } from './token-review.ts';

/** What is known of the token of a link. Times are in milliseconds of Unix time. */
export type CheckedToken = {
  readonly expiresAtMs: number;
  /** When the API server last said that it is valid. */
  readonly confirmedMs: number;
  /** Refusals in a row. */
  readonly doubts: number;
  /** The API server could not be asked the last time. */
  readonly isUnchecked: boolean;
  readonly problem?: string;
};

export type TokenStep =
  | { readonly kind: 'keep'; readonly checked: CheckedToken }
  | { readonly kind: 'end'; readonly refusal: LinkRefusal };

const minute = 60_000;

export type TokenTimes = {
  /** An agent whose Pod has gone is noticed after this. */
  readonly checkAtLeastEveryMs: number;
  readonly checkAtMostEveryMs: number;
  /** While the API server does not answer. */
  readonly retryMs: number;
  /** Between a refusal and the look that confirms it. */
  readonly secondLookMs: number;
  /** So long links stay although no API server can be asked. */
  readonly longestUncheckedMs: number;
};

export const defaultTokenTimes: TokenTimes = {
  checkAtLeastEveryMs: 15 * minute,
  checkAtMostEveryMs: 5_000,
  retryMs: 30_000,
  secondLookMs: 10_000,
  longestUncheckedMs: 120 * minute,
};

/** How long to wait before the agent is asked for its token again. */
export function waitBeforeCheckMs(
  { expiresAtMs, doubts, isUnchecked }: CheckedToken,
  nowMs: number,
  times: TokenTimes,
): number {
  if (doubts > 0) return times.secondLookMs;
  if (isUnchecked) return times.retryMs;
  return Math.min(times.checkAtLeastEveryMs, Math.max(times.checkAtMostEveryMs, (expiresAtMs - nowMs) / 2));
}

/**
 * What follows from what the API server said of the agent's token; undefined: the agent sent none. A refusal ends the
 * link only after a second look, a token of another agent at once, and an API server that does not answer after a
 * long time.
 */
export function stepAfterCheck(
  checked: CheckedToken,
  outcome: ReviewedToken | LinkRefusal | undefined,
  nowMs: number,
  times: TokenTimes,
): TokenStep {
  if (outcome?.kind === 'accepted') {
    const { expiresAtMs } = outcome;
    return { kind: 'keep', checked: { expiresAtMs, confirmedMs: nowMs, doubts: 0, isUnchecked: false } };
  }
  if (outcome?.reason === 'OtherAgent') return { kind: 'end', refusal: outcome };
  if (outcome?.reason === 'TokenUnchecked') {
    if (nowMs - checked.confirmedMs >= times.longestUncheckedMs) return { kind: 'end', refusal: outcome };
    return { kind: 'keep', checked: { ...checked, isUnchecked: true, problem: outcome.message } };
  }
  if (!outcome) {
    const isOver = checked.expiresAtMs <= nowMs;
    if (isOver)
      return { kind: 'end', refusal: refuse('TokenExpired', 'the token has expired, and no other came') };
    return { kind: 'keep', checked };
  }
  if (checked.doubts > 0) return { kind: 'end', refusal: outcome };
  return { kind: 'keep', checked: { ...checked, doubts: checked.doubts + 1 } };
}
