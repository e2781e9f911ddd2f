import type { CaptureSpec } from '../../agent/planner/annotations.ts';
import type { TargetPod } from '../api/targets.ts';
import type { AwaitedPod, PodQuestion } from './ask-pods.ts';
import { type KnownCaptures, recordingOf } from './known-captures.ts';
import { type RequestAnswer, requestAnswer } from './request-answer.ts';
import type { PodDecision } from './start-decision.ts';

/** Waits for what the agent of the Pod answers to that request. `known`: what was recorded before it. */
export function awaitedRequest(
  pod: TargetPod,
  spec: CaptureSpec,
  known: KnownCaptures,
): AwaitedPod<RequestAnswer> {
  const before = recordingOf(known, pod);
  return {
    pod,
    answerOf(recording) {
      const answer = recording && requestAnswer(recording, { spec, before });
      return answer && { answer, isCertain: answer.isCertain };
    },
  };
}

/** The Pods that are to be changed, and the answers to wait for. */
export function questionsOf(
  decisions: readonly { readonly pod: TargetPod; readonly decision: PodDecision }[],
  known: KnownCaptures,
): readonly PodQuestion<RequestAnswer>[] {
  return decisions.flatMap(({ pod, decision }) =>
    decision.kind === 'outcome'
      ? []
      : [{ ...awaitedRequest(pod, decision.spec, known), annotations: decision.annotations }],
  );
}
