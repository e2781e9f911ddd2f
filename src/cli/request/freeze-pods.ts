import { freezeAnnotation } from '../../agent/planner/annotations.ts';
import type { CaptureFrozenRing } from '../../api/capture.ts';
import { printText } from '../../commands/terminal.ts';
import type { Cluster } from '../api/cluster.ts';
import { resolveTargets } from '../api/resolve-targets.ts';
import type { TargetPod, Targets } from '../api/targets.ts';
import type { CommandContext } from '../cli-command.ts';
import { type CommandPlace, suggestedCommand } from '../suggested-command.ts';
import { shellWord } from '../target-arguments.ts';
import {
  type AskedPods,
  askPods,
  type CommandEnd,
  lastRecording,
  problemHints,
  refusedPatch,
} from './ask-pods.ts';
import { type FreezeDecision, freezeAfterMs, freezeDecision, ringFrozenBy } from './freeze-decision.ts';
import { isComplete, type KnownCaptures, knownCaptures, recordingOf } from './known-captures.ts';
import { outcomeCode, outcomeLines, type PodOutcome } from './pod-outcome.ts';
import { storedText, unansweredText } from './recording-text.ts';
import { livingPods } from './start-decision.ts';

export type FrozenPods = { readonly targets: Targets; readonly text: string };

/** How much longer than the ring itself goes on. */
const graceMs = 15_000;

/** Freezes the ring of each Pod, and prints what became of it. */
export async function freezePods(
  { targets, text }: FrozenPods,
  cluster: Cluster,
  { terminal, signal }: Pick<CommandContext, 'terminal' | 'signal'>,
  deadlineMs?: number,
): Promise<CommandEnd> {
  const [found, known] = await Promise.all([
    resolveTargets(cluster, targets, signal),
    knownCaptures(cluster, undefined, signal),
  ]);
  const pods = targets.kind === 'pods' ? found : livingPods(found);
  const decisions = pods.map((pod) => ({
    pod,
    decision: freezeDecision(pod, text, {
      recording: recordingOf(known, pod),
      place: cluster,
      isKnown: isComplete(known),
    }),
  }));
  const questions = decisions
    .filter(({ decision }) => decision.kind === 'freeze')
    .map(({ pod }) => ({
      pod,
      annotations: { [freezeAnnotation]: text },
      answerOf: frozenAnswer(text),
    }));
  const timing = {
    deadlineMs: deadlineMs ?? Math.max(0, ...pods.map(freezeAfterMs)) + graceMs,
    settleMs: 0,
  };
  const asked = await askPods(questions, { cluster, known, timing, terminal, signal });
  const outcomes = decisions.map(({ pod, decision }) =>
    outcomeOf(pod, decision, { asked, known, place: cluster }),
  );
  const code = await printText(terminal, outcomeLines(outcomes));
  return { hints: problemHints(asked, known), code: Math.max(code, outcomeCode(outcomes)) };
}

function frozenAnswer(text: string) {
  return (recording: Parameters<typeof ringFrozenBy>[1]) => {
    const ring = ringFrozenBy(text, recording);
    return ring && { answer: ring, isCertain: true };
  };
}

type Answers = {
  readonly asked: AskedPods<CaptureFrozenRing>;
  readonly known: KnownCaptures;
  readonly place: CommandPlace;
};

function outcomeOf(pod: TargetPod, decision: FreezeDecision, { asked, known, place }: Answers): PodOutcome {
  if (decision.kind === 'outcome') return { pod: pod.name, ...decision.outcome };
  const refusal = asked.refusals.get(pod.uid);
  if (refusal) return refusedPatch(pod, refusal);
  const recording = lastRecording(asked, pod, known);
  const ring = recording && asked.answers.get(recording.uid);
  const name = shellWord(pod.name);
  if (ring) {
    const text = `frozen ring ${ring.number}: ${storedText(ring)}; ${suggestedCommand(`kubectl podcap save ${name} --frozen ${ring.number}`, place)} downloads it`;
    return { pod: pod.name, kind: 'done', text };
  }
  const text =
    recording?.phase === 'Capturing'
      ? `no frozen ring yet on ${recording.node}: it goes on after its trigger as long as freeze-after says; ${suggestedCommand(`kubectl describe pod ${name}`, place)} says if it could not be frozen (CaptureNotFrozen)`
      : unansweredText(`the annotation ${freezeAnnotation}`, {
          node: pod.node,
          recording,
          place,
          isKnown: known.kind === 'known',
        });
  return { pod: pod.name, kind: 'open', text };
}
