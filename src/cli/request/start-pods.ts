import { printText } from '../../commands/terminal.ts';
import type { Cluster } from '../api/cluster.ts';
import { resolveTargets } from '../api/resolve-targets.ts';
import type { TargetPod, Targets } from '../api/targets.ts';
import type { CommandContext } from '../cli-command.ts';
import type { CommandPlace } from '../suggested-command.ts';
import { answeredOutcome } from './answered-outcome.ts';
import {
  type AskedPods,
  askPods,
  type CommandEnd,
  lastRecording,
  problemHints,
  refusedPatch,
} from './ask-pods.ts';
import { type AnswerTiming, answerTiming } from './await-answers.ts';
import { questionsOf } from './awaited-request.ts';
import { type KnownCaptures, knownCaptures, recordingOf } from './known-captures.ts';
import { outcomeCode, outcomeLines, type PodOutcome } from './pod-outcome.ts';
import { unansweredText } from './recording-text.ts';
import type { RequestAnswer } from './request-answer.ts';
import { livingPods, type PodDecision, startDecision } from './start-decision.ts';
import { startHints } from './start-hints.ts';
import type { WantedCapture } from './wanted-capture.ts';

export type StartedPods = {
  readonly targets: Targets;
  readonly wanted: WantedCapture;
  readonly overwrite: boolean;
};

/** Asks for a capture of each Pod by its annotations, and prints what became of it. */
export async function startPods(
  { targets, wanted, overwrite }: StartedPods,
  cluster: Cluster,
  { terminal, signal }: Pick<CommandContext, 'terminal' | 'signal'>,
  timing: AnswerTiming = answerTiming,
): Promise<CommandEnd> {
  const [found, known] = await Promise.all([
    resolveTargets(cluster, targets, signal),
    knownCaptures(cluster, undefined, signal),
  ]);
  const pods = targets.kind === 'pods' ? found : livingPods(found);
  const decisions = pods.map((pod) => ({
    pod,
    decision: startDecision(pod, recordingOf(known, pod), { wanted, overwrite }),
  }));
  const questions = questionsOf(decisions, known);
  const asked = await askPods(questions, { cluster, known, timing, terminal, signal });
  const outcomes = decisions.map(({ pod, decision }) =>
    outcomeOf(pod, decision, { asked, known, place: cluster }),
  );
  const code = await printText(terminal, outcomeLines(outcomes));
  const isForbidden = [...asked.refusals.values()].some((refusal) => refusal.isForbidden);
  const hints = startHints({
    targets,
    wanted,
    outcomes,
    isForbidden,
    namespace: cluster.namespace,
    place: cluster,
  });
  return { hints: [...problemHints(asked, known), ...hints], code: Math.max(code, outcomeCode(outcomes)) };
}

type Answers = {
  readonly asked: AskedPods<RequestAnswer>;
  readonly known: KnownCaptures;
  readonly place: CommandPlace;
};

function outcomeOf(pod: TargetPod, decision: PodDecision, { asked, known, place }: Answers): PodOutcome {
  if (decision.kind === 'outcome') return { pod: pod.name, ...decision.outcome };
  const refusal = asked.refusals.get(pod.uid);
  if (refusal) return refusedPatch(pod, refusal);
  const recording = lastRecording(asked, pod, known);
  const answer = asked.answers.get(recording?.uid ?? pod.uid);
  if (!answer || !recording) {
    const kind = pod.node === undefined ? 'done' : 'open';
    return {
      pod: pod.name,
      kind,
      text: unansweredText('the request', {
        node: pod.node,
        recording,
        place,
        isKnown: known.kind === 'known',
      }),
    };
  }
  return answeredOutcome(pod, answer.kind, recording);
}
