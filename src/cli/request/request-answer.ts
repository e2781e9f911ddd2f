import { isDeepStrictEqual } from 'node:util';
import { boundedText } from '../../agent/link/report-text.ts';
import { requestedCapture } from '../../agent/link/requested-capture.ts';
import type { CaptureSpec } from '../../agent/planner/annotations.ts';
import type { CaptureRecording } from '../../api/capture.ts';

/** What was asked of the agent of a Pod. */
export type AskedRequest = {
  readonly spec: CaptureSpec;
  /** The recording of the Pod when it was asked; undefined if there was none. */
  readonly before: CaptureRecording | undefined;
};

/**
 * What a recording answers. `isCertain`: it can only be the answer to this request; otherwise it can still be what was
 * said before the agent has seen the request, and another answer can follow within seconds.
 */
export type RequestAnswer = {
  readonly kind: 'capturing' | 'paused' | 'refused' | 'failed' | 'ended';
  readonly isCertain: boolean;
};

/** Undefined if a recording does not answer the request, or not yet. Pure. */
export function requestAnswer(recording: CaptureRecording, asked: AskedRequest): RequestAnswer | undefined {
  const { before, spec } = asked;
  const kind = answerKinds[recording.phase];
  if (kind === undefined || !isAskedBy(recording, spec)) return undefined;
  if ((kind === 'paused') !== spec.isPaused && (kind === 'paused' || kind === 'capturing')) return undefined;
  const isNews = !before || isNewsOf(recording, before, kind);
  // What an agent refuses is not always said to be what is asked for.
  if (isNews && kind !== 'capturing') return { kind, isCertain: true };
  return isOf(recording, spec) ? { kind, isCertain: isNews } : undefined;
}

/** Whether it is captured says the phase alone: why one of several interfaces is not can change at any time. */
function isNewsOf(
  { phase, phaseSince, message }: CaptureRecording,
  before: CaptureRecording,
  kind: RequestAnswer['kind'],
): boolean {
  if (before.phase !== phase || before.phaseSince !== phaseSince) return true;
  return kind !== 'capturing' && before.message !== message;
}

/** What each phase answers; undefined: nothing. */
export const answerKinds: Readonly<Record<CaptureRecording['phase'], RequestAnswer['kind'] | undefined>> = {
  Waiting: undefined,
  Capturing: 'capturing',
  Paused: 'paused',
  Ended: 'ended',
  Refused: 'refused',
  Failed: 'failed',
  Unknown: undefined,
};

function isAskedBy({ requestedBy }: CaptureRecording, { policy }: CaptureSpec): boolean {
  if (requestedBy.kind === 'Unknown') return false;
  return policy === (requestedBy.kind === 'CapturePolicy' ? requestedBy.name : undefined);
}

/** Whether the recording is of that request, as far as captures show it. */
function isOf(recording: CaptureRecording, spec: CaptureSpec): boolean {
  return (
    isDeepStrictEqual(recording.interfaces.map(plain), spec.interfaces.map(plain)) &&
    isDeepStrictEqual(recording.requested, requestedCapture(spec))
  );
}

function plain(text: string): string {
  return boundedText(text, text.length);
}
