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
/** An agent whose Pod has gone is noticed after this. */
const checkAtLeastEveryMs = 15 * minute;
const checkAtMostEveryMs = 5_000;
const retryMs = 30_000;
const secondLookMs = 10_000;
/** So long links stay although no API server can be asked. */
export const longestUncheckedMs = 120 * minute;

/** How long to wait before the agent is asked for its token again. */
export function waitBeforeCheckMs({ expiresAtMs, doubts, isUnchecked }: CheckedToken, nowMs: number): number {
  if (doubts > 0) return secondLookMs;
  if (isUnchecked) return retryMs;
  return Math.min(checkAtLeastEveryMs, Math.max(checkAtMostEveryMs, (expiresAtMs - nowMs) / 2));
}

/**
 * What follows from what the API server said of the agent's token; undefined: the agent sent none. A refusal ends the
 * link only after a second look, a token of another agent at once, and an API server that does not answer after 2 hours.
 */
export function stepAfterCheck(
  checked: CheckedToken,
  outcome: ReviewedToken | LinkRefusal | undefined,
  nowMs: number,
): TokenStep {
  if (outcome?.kind === 'accepted') {
    const { expiresAtMs } = outcome;
    return { kind: 'keep', checked: { expiresAtMs, confirmedMs: nowMs, doubts: 0, isUnchecked: false } };
  }
  if (outcome?.reason === 'OtherAgent') return { kind: 'end', refusal: outcome };
  if (outcome?.reason === 'TokenUnchecked') {
    if (nowMs - checked.confirmedMs >= longestUncheckedMs) return { kind: 'end', refusal: outcome };
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
