import { pausedAnnotation } from '../../agent/planner/annotations.ts';
import type { CaptureRecording } from '../../api/capture.ts';
import type { TargetPod } from '../api/targets.ts';
import { type CommandPlace, suggestedCommand, withNamespace } from '../suggested-command.ts';
import { shellWord } from '../target-arguments.ts';
import type { PodOutcome } from './pod-outcome.ts';
import { storedText } from './recording-text.ts';
import { requestIn } from './request-change.ts';
import { type PodDecision, policyOf } from './start-decision.ts';

/** `recording`: what is recorded of that Pod; `isWhole`: no agent may know of one that is not known here. Pure. */
export function stopDecision(
  pod: TargetPod,
  recording: CaptureRecording | undefined,
  { isWhole, place }: { readonly isWhole: boolean; readonly place: CommandPlace },
): PodDecision {
  const request = requestIn(pod);
  switch (request.kind) {
    case 'none': {
      if (!recording && !isWhole) {
        return outcome('open', 'asks for nothing itself; whether a CapturePolicy asks for it is not known');
      }
      const policy = policyOf(recording);
      return policy === undefined
        ? outcome('done', `is not captured${keptText(recording)}`)
        : outcome('failed', policyText(policy, pod, place));
    }
    case 'refused':
      return outcome('done', `is not captured, as its request is refused: ${request.refusal.message}`);
    case 'capture': {
      const { spec } = request;
      if (spec.isPaused) return outcome('done', `is paused already${keptText(recording)}`);
      if (recording?.phase === 'Ended')
        return outcome('done', `is not captured any more${keptText(recording)}`);
      return {
        kind: 'change',
        annotations: { [pausedAnnotation]: 'true' },
        spec: { ...spec, isPaused: true },
      };
    }
  }
}

function keptText(recording: CaptureRecording | undefined): string {
  return recording && recording.files > 0 ? `: ${storedText(recording)} kept on ${recording.node}` : '';
}

/** The annotation has no effect on a capture that a policy asks for. */
function policyText(policy: string, { namespace, name }: TargetPod, place: CommandPlace): string {
  const patch = `kubectl patch capturepolicy ${shellWord(policy)}`;
  const pause = `${suggestedCommand(patch, withNamespace(place, namespace))} --type merge -p '{"spec":{"paused":true}}'`;
  const start = suggestedCommand(`kubectl podcap start ${shellWord(name)} --overwrite`, place);
  return `CapturePolicy ${policy} asks for its capture. To pause it for all Pods of the policy: ${pause}. For this Pod alone, give it a request of its own, which replaces that of the policy: ${start}, then stop it`;
}

function outcome(kind: PodOutcome['kind'], text: string): PodDecision {
  return { kind: 'outcome', outcome: { kind, text } };
}
