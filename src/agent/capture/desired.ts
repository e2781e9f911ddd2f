import type { CaptureSpec } from '../planner/annotations.ts';
import type { Decision } from '../planner/plan.ts';
import type { DesiredState, OngoingState, RingSpec } from './pod-state.ts';

/** A Pod deleted by force leaves the API before its containers end: how long its network may stay. */
const podEndMs = 60_000;

export type DesiredOptions = {
  /** The kernel's receive ring of each capture, in KiB. */
  readonly bufferKib: number;
  /** By performance.now(). */
  readonly nowMs: number;
};

/**
 * Returns what a decision of the plan means, given what was desired before. Without a decision, what runs ends with its
 * Pod. Pure.
 */
export function desiredAfter(
  before: DesiredState,
  decision: Decision | undefined,
  { bufferKib, nowMs }: DesiredOptions,
): DesiredState {
  const ongoing = before.kind === 'erase' ? before.meanwhile : before;
  switch (decision?.kind) {
    case 'record':
      return { kind: 'capture', rings: ringsOf(decision.spec, bufferKib) };
    case 'refuse':
      return { kind: 'rest', why: { kind: 'refused', refusal: decision.refusal } };
    case 'delete':
      return { kind: 'erase', why: decision.why, meanwhile: ongoing };
    // What runs continues as it is.
    case 'wait':
      return ongoing;
    case 'keep':
      return decision.why === 'DurationReached'
        ? { kind: 'rest', why: { kind: 'durationReached' } }
        : finish(ongoing, nowMs);
    case undefined:
      return finish(ongoing, nowMs);
  }
}

function ringsOf(spec: CaptureSpec, bufferKib: number): RingSpec[] {
  return [{ ...spec, bufferKib }];
}

function finish(before: OngoingState, nowMs: number): DesiredState {
  switch (before.kind) {
    case 'capture':
      return { kind: 'finish', rings: before.rings, untilMs: nowMs + podEndMs };
    case 'finish':
      return before;
    case 'rest':
      return { kind: 'finish', rings: [], untilMs: nowMs };
  }
}
