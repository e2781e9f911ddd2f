import { pausedAnnotation } from '../../agent/planner/annotations.ts';
import { retentionSetting } from '../../agent/retention-setting.ts';
import { humanDuration } from '../../base/human-units.ts';
import { printText } from '../../commands/terminal.ts';
import type { Cluster } from '../api/cluster.ts';
import { resolveTargets } from '../api/resolve-targets.ts';
import type { TargetPod, Targets } from '../api/targets.ts';
import type { CommandContext } from '../cli-command.ts';
import { type CommandPlace, suggestedCommand } from '../suggested-command.ts';
import { targetsText } from '../target-arguments.ts';
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
import { isComplete, type KnownCaptures, knownCaptures, recordingOf } from './known-captures.ts';
import { outcomeCode, outcomeLines, type PodOutcome } from './pod-outcome.ts';
import { answerText, unansweredText } from './recording-text.ts';
import type { RequestAnswer } from './request-answer.ts';
import type { PodDecision } from './start-decision.ts';
import { stopDecision } from './stop-decision.ts';

/** Pauses the capture of each Pod, and prints what became of it. */
export async function stopPods(
  targets: Targets,
  cluster: Cluster,
  { terminal, signal }: Pick<CommandContext, 'terminal' | 'signal'>,
  timing: AnswerTiming = answerTiming,
): Promise<CommandEnd> {
  const [pods, known] = await Promise.all([
    resolveTargets(cluster, targets, signal),
    knownCaptures(cluster, undefined, signal),
  ]);
  const decisions = pods.map((pod) => ({
    pod,
    decision: stopDecision(pod, recordingOf(known, pod), {
      isWhole: known.kind === 'unknown' || isComplete(known),
      place: cluster,
    }),
  }));
  const questions = questionsOf(decisions, known);
  const asked = await askPods(questions, { cluster, known, timing, terminal, signal });
  const outcomes = decisions.map(({ pod, decision }) =>
    outcomeOf(pod, decision, { asked, known, place: cluster }),
  );
  const code = await printText(terminal, outcomeLines(outcomes));
  const isStopped = questions.length > asked.refusals.size;
  const hints = [...problemHints(asked, known), ...(isStopped ? [keptHint(targets, cluster)] : [])];
  return { hints, code: Math.max(code, outcomeCode(outcomes)) };
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
  const answer = recording && asked.answers.get(recording.uid);
  // Nothing is captured of what is refused, or has ended.
  if (answer && recording) return { pod: pod.name, kind: 'done', text: answerText(answer.kind, recording) };
  if (pod.node === undefined) return { pod: pod.name, kind: 'done', text: 'paused before any Node runs it' };
  return {
    pod: pod.name,
    kind: 'open',
    text: unansweredText(`the annotation ${pausedAnnotation}`, {
      node: pod.node,
      recording,
      place,
      isKnown: known.kind === 'known',
    }),
  };
}

/** How long the agents keep files is a setting, which only who may read their DaemonSet can see. */
function keptHint(targets: Targets, place: CommandPlace): string {
  const whose = targetsText(targets);
  const { flag, default: seconds } = retentionSetting;
  const retention = humanDuration(Number(seconds) * 1_000);
  return `the files stay as long as the Pod and its request do. After the Pod has ended, its Node keeps them for a time that an administrator sets (--${flag}; ${retention} unless it was changed). To continue: ${suggestedCommand(`kubectl podcap start ${whose}`, place)}. To delete them: ${suggestedCommand(`kubectl podcap discard ${whose}`, place)}`;
}
