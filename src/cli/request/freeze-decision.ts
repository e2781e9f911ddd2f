import { boundedText } from '../../agent/link/report-text.ts';
import { causeText } from '../../agent/observability/frozen-ring-text.ts';
import {
  annotationRules,
  defaultFreezeAfterMs,
  freezeAnnotation,
  mostLimits,
} from '../../agent/planner/annotations.ts';
import type { CaptureFrozenRing, CaptureRecording } from '../../api/capture.ts';
import type { TargetPod } from '../api/targets.ts';
import { type CommandPlace, suggestedCommand } from '../suggested-command.ts';
import type { PodOutcome } from './pod-outcome.ts';
import { requestIn } from './request-change.ts';

/** The ring of a Pod is frozen by the annotation; otherwise the outcome says why not. */
export type FreezeDecision =
  | { readonly kind: 'outcome'; readonly outcome: Omit<PodOutcome, 'pod'> }
  | { readonly kind: 'freeze' };

/** `recording`: what is recorded of that Pod; `isKnown`: whether that is known. Pure. */
export function freezeDecision(
  pod: TargetPod,
  text: string,
  {
    recording,
    isKnown,
    place,
  }: {
    readonly recording: CaptureRecording | undefined;
    readonly isKnown: boolean;
    readonly place: CommandPlace;
  },
): FreezeDecision {
  if (pod.annotations[freezeAnnotation] === text)
    return failed('was frozen with this reason already: give another --reason');
  if (!isKnown || recording?.phase === 'Capturing') return { kind: 'freeze' };
  if (requestIn(pod).kind === 'none' && (!recording || recording.phase === 'Ended'))
    return failed(
      `is not captured: ${suggestedCommand(`kubectl podcap start ${pod.name}`, place)} captures it`,
    );
  const why = recording?.message ?? recording?.reason;
  const state = recording === undefined ? 'not yet' : recording.phase;
  return failed(
    `is not captured now (${state}${why === undefined ? '' : `: ${why}`}): nothing can be frozen`,
  );
}

function failed(text: string): FreezeDecision {
  return { kind: 'outcome', outcome: { kind: 'failed', text } };
}

const mostCauseCharacters = 512;

/** The ring that was frozen by that text; undefined while there is none. */
export function ringFrozenBy(
  text: string,
  recording: CaptureRecording | undefined,
): CaptureFrozenRing | undefined {
  const cause = boundedText(causeText({ trigger: 'manual', text }), mostCauseCharacters);
  return recording?.frozen?.findLast(({ causes }) => causes.includes(cause));
}

/** How long a frozen ring of the Pod goes on after its trigger. What a policy asks for is not known here. */
export function freezeAfterMs({ annotations }: Pick<TargetPod, 'annotations'>): number {
  const { key, parse } = annotationRules(mostLimits).freezeAfter;
  const given = annotations[key];
  return (given === undefined ? undefined : parse(given)) ?? defaultFreezeAfterMs;
}
