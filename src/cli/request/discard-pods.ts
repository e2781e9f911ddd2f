import { exitCodes, printMessage, printText } from '../../commands/terminal.ts';
import { networkUidOf } from '../../kubernetes/pod.ts';
import type { Cluster } from '../api/cluster.ts';
import type { Targets } from '../api/targets.ts';
import { type CommandContext, CommandFailure } from '../cli-command.ts';
import { wrongUsage } from '../given-arguments.ts';
import { type CommandPlace, suggestedCommand, withNamespace } from '../suggested-command.ts';
import { targetsText } from '../target-arguments.ts';
import {
  type AskedPods,
  askPods,
  type CommandEnd,
  lastRecording,
  type PodQuestion,
  problemHints,
  refusedPatch,
} from './ask-pods.ts';
import { type AnswerTiming, answerTiming } from './await-answers.ts';
import { canAsk, confirm } from './confirm.ts';
import { type DiscardItem, type DiscardPlan, discardPlan, exceeds } from './discard-plan.ts';
import { discardRecordings } from './discard-recordings.ts';
import { discardTargets } from './discard-targets.ts';
import { discardText, goneText } from './discard-text.ts';
import { isComplete, type KnownCaptures, warningsOf } from './known-captures.ts';
import { outcomeCode, outcomeLines, type PodOutcome } from './pod-outcome.ts';
import { policyOf } from './start-decision.ts';

export type DiscardedPods = { readonly targets: Targets; readonly isSure: boolean };

/** Deletes what is recorded of the Pods, once that is confirmed, and prints what became of it. */
export async function discardPods(
  asked: DiscardedPods,
  cluster: Cluster,
  context: DiscardContext,
  timing: AnswerTiming = answerTiming,
): Promise<CommandEnd> {
  const outcomes: PodOutcome[] = [];
  const hints = new Set<string>();
  let left: ShownDiscard = { ...asked, shown: [] };
  for (let round = 1; ; round++) {
    const done = await discardRound(left, cluster, { ...context, timing }).catch((error: unknown) => {
      // What became of the others is said.
      if (round === 1 || !(error instanceof CommandFailure)) throw error;
      return { outcomes: conflictOutcomes(left, error.message), hints: [], conflicts: [], shown: [] };
    });
    const { conflicts, shown } = done;
    outcomes.push(...done.outcomes);
    for (const hint of done.hints) hints.add(hint);
    if (conflicts.length === 0) break;
    left = { ...asked, targets: { kind: 'pods', names: conflicts }, shown };
    if (round < mostRounds) continue;
    outcomes.push(...conflictOutcomes(left, 'the Pod changes all the time: try again'));
    break;
  }
  const code = await printText(context.terminal, outcomeLines(outcomes));
  return { hints: [...hints], code: Math.max(code, outcomeCode(outcomes)) };
}

/** The status of a Pod that starts changes several times within a second. */
const mostRounds = 10;

function conflictOutcomes({ targets }: DiscardedPods, why: string): PodOutcome[] {
  const names = targets.kind === 'pods' ? targets.names : [];
  return names.map((pod) => ({ pod, kind: 'failed', text: `not changed: ${why}` }));
}

type DiscardContext = Pick<CommandContext, 'terminal' | 'signal'>;

type DiscardRound = {
  readonly outcomes: readonly PodOutcome[];
  readonly hints: readonly string[];
  /** Pods that somebody has changed meanwhile. */
  readonly conflicts: readonly string[];
  readonly shown: readonly DiscardItem[];
};

/** `shown`: what was confirmed already. */
type ShownDiscard = DiscardedPods & { readonly shown: readonly DiscardItem[] };

async function discardRound(
  discarded: ShownDiscard,
  cluster: Cluster,
  { timing, ...context }: DiscardContext & { readonly timing: AnswerTiming },
): Promise<DiscardRound> {
  const { items, others, known, hints } = await confirmedPlan(discarded, cluster, context);
  const requests = items.filter((item) => item.kind === 'request');
  const recordings = items.filter((item) => item.kind === 'recording');
  const failures = await discardRecordings(cluster, recordings, context.signal);
  const asked = await askPods(requests.map(questionOf), {
    ...context,
    cluster,
    known,
    timing,
    isAbsenceAnswer: true,
  });
  const isConflict = (item: DiscardItem) =>
    item.kind === 'request' && asked.refusals.get(item.target.uid)?.isConflict === true;
  const settled = items.filter((item) => !isConflict(item));
  return {
    outcomes: [
      ...settled.map((item) => outcomeOf(item, { asked, failures, known, place: cluster })),
      ...others,
    ],
    hints: [...hints, ...problemHints(asked, known)],
    conflicts: items.filter(isConflict).map(({ pod }) => pod),
    shown: items,
  };
}

type ConfirmedPlan = DiscardPlan & { readonly known: KnownCaptures; readonly hints: readonly string[] };

/** What there is to delete, as it was confirmed: while somebody thinks, others may have asked for more. */
async function confirmedPlan(
  { targets, isSure, shown: before }: ShownDiscard,
  cluster: Cluster,
  { terminal, signal }: DiscardContext,
): Promise<ConfirmedPlan> {
  const { namespace } = cluster;
  for (let shown = before; ; ) {
    const found = await discardTargets(targets, cluster, signal);
    const { known } = found;
    const isKnown = isComplete(known);
    const plan = discardPlan(found.targets, {
      areNamed: targets.kind === 'pods',
      isKnown,
      place: withNamespace(cluster, namespace),
    });
    const { items } = plan;
    const unknown = known.kind === 'unknown' ? known.why : isKnown ? undefined : warningsOf(known).join('; ');
    const hints = found.notOwned.length === 0 ? [] : [notOwnedHint(found.notOwned)];
    if (items.length + plan.others.length === 0) {
      const nothing = nothingText(targets, namespace, unknown);
      throw new CommandFailure([nothing, ...hints].join('\n'), exitCodes.failed);
    }
    if (!exceeds(items, shown)) return { ...plan, known, hints };
    if (shown.length > 0) printMessage(terminal, 'it has changed meanwhile');
    await mustConfirm(discardText(items, { namespace, unknown }), { isSure, terminal, signal });
    if (isSure) return { ...plan, known, hints };
    shown = items;
  }
}

function notOwnedHint(names: readonly string[]): string {
  const some = names.length > mostNames ? [...names.slice(0, mostNames), '...'] : names;
  return `what is recorded of Pods that are gone stays, as nobody knows whose they were (${some.join(', ')}): name them, or select them with -l`;
}

const mostNames = 10;

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
    isAsRead: true,
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
  readonly known: KnownCaptures;
  readonly place: CommandPlace;
};

function outcomeOf(item: DiscardItem, { asked, failures, known, place }: Discarded): PodOutcome {
  const { pod } = item;
  const recording =
    item.kind === 'request' ? (lastRecording(asked, item.target, known) ?? item.recording) : item.recording;
  const gone = recording?.files ? `deleted ${goneText(recording)}` : 'its request was removed';
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
  const { node } = item.target;
  if (answer || node === undefined) return { pod, kind: 'done', text: gone };
  if (!recording && known.kind === 'unknown') return { pod, kind: 'done', text: gone };
  const what = recording
    ? `${goneText(recording)} on ${recording.node} are`
    : `what Node ${node} has recorded is`;
  const text = `its request was removed, and it is not known yet that ${what} deleted: ${suggestedCommand('kubectl podcap check', place)} says whether the agent there runs`;
  return { pod, kind: 'open', text };
}
