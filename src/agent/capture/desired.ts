import { type CaptureSpec, tcpdumpSpecsOf } from '../planner/annotations.ts';
import type { Decision, KeepReason } from '../planner/decisions.ts';
import type { BufferKib } from '../planner/pod-receive-rings.ts';
import { ringKib } from '../planner/receive-rings.ts';
import type { DesiredState, OngoingState, RingSpec } from './pod-state.ts';

export type DesiredOptions = {
  /** The kernel's receive rings; the smallest for what it does not name. */
  readonly bufferKib: BufferKib;
  /** How long the Pod's network may stay after its end: a Pod deleted by force leaves the API before its containers end. */
  readonly longestEndMs: number;
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
  options: DesiredOptions,
): DesiredState {
  const ongoing = before.kind === 'erase' ? before.meanwhile : before;
  switch (decision?.kind) {
    case 'record':
      return { kind: 'capture', request: decision.spec, rings: ringsOf(decision.spec, options.bufferKib) };
    case 'refuse':
      return { kind: 'rest', why: { kind: 'refused', refusal: decision.refusal } };
    case 'delete':
      return {
        kind: 'erase',
        why: decision.why,
        keepsFrozen: decision.keepsFrozen === true,
        meanwhile: ongoing,
      };
    // What runs continues as it is.
    case 'wait':
    case 'unknown':
      return ongoing;
    case 'keep':
      return kept(decision.why, ongoing, options);
    case undefined:
      return finish(ongoing, options);
  }
}

function kept(why: KeepReason, ongoing: OngoingState, options: DesiredOptions): DesiredState {
  switch (why) {
    case 'PodEnded':
      return finish(ongoing, options);
    case 'DurationReached':
      return { kind: 'rest', why: { kind: 'durationReached' } };
    case 'Paused':
      return { kind: 'rest', why: { kind: 'paused' } };
    case 'NotMatched':
      return { kind: 'rest', why: { kind: 'notMatched' } };
  }
}

function ringsOf(spec: CaptureSpec, bufferKib: BufferKib): RingSpec[] {
  return tcpdumpSpecsOf(spec).map((tcpdump) => ({
    ...tcpdump,
    files: spec.files,
    bufferKib: bufferKib.get(tcpdump.interface) ?? ringKib.smallest,
  }));
}

function finish(
  before: OngoingState,
  { nowMs, longestEndMs }: Pick<DesiredOptions, 'nowMs' | 'longestEndMs'>,
): DesiredState {
  switch (before.kind) {
    case 'capture':
      return { ...before, kind: 'finish', untilMs: nowMs + longestEndMs };
    case 'finish':
      return before;
    case 'rest':
      return { kind: 'finish', request: undefined, rings: [], untilMs: nowMs };
  }
}
