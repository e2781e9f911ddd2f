import { exitCodes, printMessage, printText } from '../../commands/terminal.ts';
import { networkUidOf } from '../../kubernetes/pod.ts';
import type { Cluster } from '../api/cluster.ts';
import type { Targets } from '../api/targets.ts';
import { type CommandContext, CommandFailure } from '../cli-command.ts';
import { wrongUsage } from '../given-arguments.ts';
import {
  type AskedPods,
  askPods,
  type CommandEnd,
  type PodQuestion,
  problemHints,
  refusedPatch,
} from './ask-pods.ts';
import { type AnswerTiming, answerTiming } from './await-answers.ts';
import { canAsk, confirm } from './confirm.ts';
import { type DiscardItem, discardPlan } from './discard-plan.ts';
import { discardRecordings } from './discard-recordings.ts';
import { discardTargets } from './discard-targets.ts';
import { discardText, goneText } from './discard-text.ts';
import { outcomeCode, outcomeLines, type PodOutcome } from './pod-outcome.ts';
import { policyOf } from './start-decision.ts';
import { targetsText } from './target-arguments.ts';

export type DiscardedPods = { readonly targets: Targets; readonly isSure: boolean };

/** Deletes what is recorded of the Pods, once that is confirmed, and prints what became of it. */
export async function discardPods(
  { targets, isSure }: DiscardedPods,
  cluster: Cluster,
  { terminal, signal }: Pick<CommandContext, 'terminal' | 'signal'>,
  timing: AnswerTiming = answerTiming,
): Promise<CommandEnd> {
  const found = await discardTargets(targets, cluster, signal);
  const { known } = found;
  const { namespace } = cluster;
  const { items, others } = discardPlan(found.targets, {
    areNamed: targets.kind === 'pods',
    isKnown: known.kind === 'known',
  });
  const unknown = known.kind === 'unknown' ? known.why : undefined;
  if (items.length + others.length === 0)
    throw new CommandFailure(nothingText(targets, namespace, unknown), exitCodes.failed);
  if (items.length > 0)
    await mustConfirm(discardText(items, { namespace, unknown }), { isSure, terminal, signal });
  const requests = items.filter((item) => item.kind === 'request');
  const recordings = items.filter((item) => item.kind === 'recording');
  const failures = await discardRecordings(cluster, recordings, signal);
  const context = { cluster, known, timing, terminal, signal, isAbsenceAnswer: true } as const;
  const asked = await askPods(requests.map(questionOf), context);
  const outcomes = [...items.map((item) => outcomeOf(item, { asked, failures })), ...others];
  const code = await printText(terminal, outcomeLines(outcomes));
  return { hints: problemHints(asked), code: Math.max(code, outcomeCode(outcomes)) };
}

type Confirmation = Pick<DiscardedPods, 'isSure'> & Pick<CommandContext, 'terminal' | 'signal'>;

/** Says what will be deleted. Throws a CommandFailure if that is not wanted, or there is nobody to ask. */
async function mustConfirm(text: string, { isSure, terminal, signal }: Confirmation): Promise<void> {
  printMessage(terminal, text);
  if (isSure) return;
  if (!canAsk(terminal))
    throw wrongUsage('nothing was deleted: there is no terminal to ask on, so add --yes');
  if (!(await confirm('Delete it?', terminal, signal)))
    throw new CommandFailure('nothing was deleted', exitCodes.failed);
}

function nothingText(targets: Targets, namespace: string, unknown: string | undefined): string {
  const nothing = `${targetsText(targets)} in namespace ${namespace}: no request to remove`;
  return unknown === undefined
    ? `${nothing}, and nothing is recorded`
    : `${nothing}, and what is recorded is not known: ${unknown}`;
}

/** What became of a recording whose request was removed. */
type DiscardAnswer = { readonly kind: 'deleted' } | { readonly kind: 'policy'; readonly name: string };

function questionOf({
  target,
  annotations,
}: Extract<DiscardItem, { readonly kind: 'request' }>): PodQuestion<DiscardAnswer> {
  return {
    pod: target,
    annotations,
    answerOf(recording) {
      if (!recording) return { answer: { kind: 'deleted' }, isCertain: true };
      const name = policyOf(recording);
      return name === undefined ? undefined : { answer: { kind: 'policy', name }, isCertain: true };
    },
  };
}

type Discarded = {
  readonly asked: AskedPods<DiscardAnswer>;
  /** By the UID of the recording. */
  readonly failures: ReadonlyMap<string, string>;
};

function outcomeOf(item: DiscardItem, { asked, failures }: Discarded): PodOutcome {
  const { pod } = item;
  const gone = item.recording?.files ? `deleted ${goneText(item.recording)}` : 'its request was removed';
  if (item.kind === 'recording') {
    const failure = failures.get(item.recording.uid);
    return failure === undefined
      ? { pod, kind: 'done', text: gone }
      : { pod, kind: 'failed', text: `not deleted: ${failure}` };
  }
  const refusal = asked.refusals.get(item.target.uid);
  if (refusal) return refusedPatch(item.target, refusal);
  const answer = asked.answers.get(networkUidOf(item.target));
  if (answer?.kind === 'policy') {
    const text = `its request was removed, and CapturePolicy ${answer.name} asks for its capture: the files stay. Change or delete the policy, then discard it again`;
    return { pod, kind: 'failed', text };
  }
  if (answer || !item.recording) return { pod, kind: 'done', text: gone };
  const text = `its request was removed, and ${goneText(item.recording)} on ${item.recording.node} are not deleted yet: kubectl podcap check says whether the agent there runs`;
  return { pod, kind: 'open', text };
}
