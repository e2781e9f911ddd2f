import type { CaptureRecording } from '../../api/capture.ts';
import type { TargetPod } from '../api/targets.ts';
import type { PodOutcome } from './pod-outcome.ts';
import { answerText } from './recording-text.ts';
import type { RequestAnswer } from './request-answer.ts';

/** What an agent answered to a request. */
export function answeredOutcome(
  pod: TargetPod,
  answer: RequestAnswer['kind'],
  recording: CaptureRecording,
): PodOutcome {
  return {
    pod: pod.name,
    kind: answer === 'capturing' ? 'done' : 'failed',
    text: answerText(answer, recording),
    ...(answer === 'refused' && { isRefused: true }),
  };
}
