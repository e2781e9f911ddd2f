import type { CaptureSpec } from '../../agent/planner/annotations.ts';
import { hostNetwork } from '../../agent/planner/refusals.ts';
import type { CaptureRecording } from '../../api/capture.ts';
import type { TargetPod } from '../api/targets.ts';
import type { PodOutcome } from './pod-outcome.ts';
import { answerText, requestText } from './recording-text.ts';
import { answerKinds } from './request-answer.ts';
import { type AnnotationChanges, requestChange } from './request-change.ts';
import type { WantedCapture } from './wanted-capture.ts';

/** What to do with one Pod: nothing, as the outcome says, or to change its annotations, and to wait for its agent. */
export type PodDecision =
  | { readonly kind: 'outcome'; readonly outcome: Omit<PodOutcome, 'pod'> }
  | { readonly kind: 'change'; readonly annotations: AnnotationChanges; readonly spec: CaptureSpec };

export type StartChoice = { readonly wanted: WantedCapture; readonly overwrite: boolean };

/** `recording`: what is recorded of that Pod. Pure. */
export function startDecision(
  pod: TargetPod,
  recording: CaptureRecording | undefined,
  { wanted, overwrite }: StartChoice,
): PodDecision {
  const obstacle = obstacleTo(pod);
  if (obstacle !== undefined) return outcome('failed', obstacle);
  const change = requestChange(pod, wanted, { overwrite });
  switch (change.kind) {
    case 'same':
      return sameOutcome(change.spec, recording);
    case 'kept': {
      const { request } = change;
      const asked = request.kind === 'capture' ? requestText(request.spec) : request.refusal.message;
      const paused = request.kind === 'capture' && request.spec.isPaused ? ', paused' : '';
      return outcome('failed', `keeps its own request (${asked}${paused}): --overwrite replaces it`);
    }
    case 'resumed':
      return { kind: 'change', annotations: change.annotations, spec: change.spec };
    case 'set': {
      const policy = policyOf(recording);
      if (policy !== undefined && !overwrite) return outcome('failed', policyText(policy, recording));
      return { kind: 'change', annotations: change.annotations, spec: change.spec };
    }
  }
}

/** What is refused, has failed or is over is not captured, however often it is asked for. */
function sameOutcome(spec: CaptureSpec, recording: CaptureRecording | undefined): PodDecision {
  const isCaptured = !recording || !['Refused', 'Failed', 'Ended'].includes(recording.phase);
  const text = `asks for that already: ${currentText(recording) ?? requestText(spec)}`;
  return outcome(isCaptured ? 'done' : 'failed', text);
}

/** The Pods without those that end, which a rollout leaves behind, or have ended; all if none is left. */
export function livingPods(pods: readonly TargetPod[]): readonly TargetPod[] {
  const living = pods.filter((pod) => !hasEnded(pod) && !pod.isBeingDeleted);
  return living.length === 0 ? pods : living;
}

function hasEnded({ phase }: Pick<TargetPod, 'phase'>): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

/** Why nothing can be captured of a Pod, whatever is asked for. */
export function obstacleTo(
  pod: Pick<TargetPod, 'isHostNetwork' | 'phase' | 'isBeingDeleted'>,
): string | undefined {
  if (hasEnded(pod)) return `has ended (${pod.phase}): there is nothing to capture`;
  if (pod.isBeingDeleted) return 'is being deleted: there is nothing to capture soon';
  return pod.isHostNetwork ? `refused (${hostNetwork.reason}): ${hostNetwork.message}` : undefined;
}

/** The policy that asks for the capture of a Pod now. */
export function policyOf(recording: CaptureRecording | undefined): string | undefined {
  if (!recording || recording.phase === 'Ended') return undefined;
  return recording.requestedBy.kind === 'CapturePolicy' ? recording.requestedBy.name : undefined;
}

function policyText(policy: string, recording: CaptureRecording | undefined): string {
  const state = currentText(recording);
  return `CapturePolicy ${policy} asks for its capture${state === undefined ? '' : ` (${state})`}: --overwrite gives the Pod a request of its own, which replaces that of the policy`;
}

/** What is said of the recording now; undefined where that says nothing about the request. */
function currentText(recording: CaptureRecording | undefined): string | undefined {
  if (!recording) return undefined;
  const kind = answerKinds[recording.phase];
  return kind === undefined || kind === 'paused' ? undefined : answerText(kind, recording);
}

function outcome(kind: PodOutcome['kind'], text: string): PodDecision {
  return { kind: 'outcome', outcome: { kind, text } };
}
