import { every } from '../../base/timers.ts';
import { progressOn } from '../../commands/progress.ts';
import { abortableSleep } from '../../kubernetes/abortable-sleep.ts';
import { networkUidOf } from '../../kubernetes/pod.ts';
import { isPartial, listCaptures, watchCaptures } from '../api/captures-client.ts';
import type { Cluster } from '../api/cluster.ts';
import type { TargetPod } from '../api/targets.ts';
import type { CommandContext } from '../cli-command.ts';
import {
  type AnswerTiming,
  type AwaitedAnswer,
  type AwaitedAnswers,
  awaitAnswers,
  type RecordedPods,
} from './await-answers.ts';
import { type KnownCaptures, recordingOf, warningsOf } from './known-captures.ts';
import { type PatchRefusal, type PodPatch, patchPods } from './patch-pods.ts';
import type { PodOutcome } from './pod-outcome.ts';
import { counted } from './recording-text.ts';

/** What a command has printed, what it says besides, and its exit code. */
export type CommandEnd = { readonly hints: readonly string[]; readonly code: number };

/** A Pod whose agent is to answer, and how its answer is recognized. */
export type AwaitedPod<A> = {
  readonly pod: TargetPod;
  readonly answerOf: AwaitedAnswer<A>['answerOf'];
};

/** The same after a change of its annotations. */
export type PodQuestion<A> = AwaitedPod<A> & PodPatch;

/** `answers` and `recordings` are by the UID of recordings. */
export type AskedPods<A> = AwaitedAnswers<A> & {
  /** Pods that were not changed, by UID. */
  readonly refusals: ReadonlyMap<string, PatchRefusal>;
};

export type AskContext = Pick<CommandContext, 'terminal' | 'signal'> & {
  readonly cluster: Cluster;
  readonly known: KnownCaptures;
  readonly timing: AnswerTiming;
  /** That nothing is recorded of a Pod is an answer. */
  readonly isAbsenceAnswer?: true;
};

/** Changes the Pods, and waits for the answers of their agents. */
export async function askPods<A>(
  questions: readonly PodQuestion<A>[],
  context: AskContext,
): Promise<AskedPods<A>> {
  const refusals = await patchPods(context.cluster, questions, context.signal);
  const changed = questions.filter(({ pod }) => !refusals.has(pod.uid));
  return { ...(await awaitPods(changed, context)), refusals };
}

/** Waits for the answers of the agents of these Pods, as far as they have a Node, and says so on a terminal. */
export async function awaitPods<A>(
  pods: readonly AwaitedPod<A>[],
  context: AskContext,
): Promise<AwaitedAnswers<A>> {
  const { known, timing, terminal, signal } = context;
  if (known.kind === 'unknown') return { answers: new Map(), recordings: new Map(), problem: known.why };
  const awaited = pods
    .filter(({ pod }) => pod.node !== undefined)
    .map(({ pod, answerOf }) => ({ pod: pod.name, uid: networkUidOf(pod), answerOf }));
  const progress = progressOn(terminal, { dataTo: 'file' });
  const startMs = performance.now();
  using _ = every(250, async () => {
    const seconds = Math.floor((performance.now() - startMs) / 1_000);
    progress.show(() => `waiting for the agents of ${counted(awaited.length, 'Pod')} (${seconds} s)`);
  });
  const names = awaited.map(({ pod }) => pod);
  const watch = (until: AbortSignal) => watchRecordings(names, context, until);
  try {
    return await awaitAnswers(awaited, { watch, signal, timing });
  } finally {
    progress.clear();
  }
}

async function* watchRecordings(
  pods: readonly string[],
  { cluster, isAbsenceAnswer }: AskContext,
  signal: AbortSignal,
): AsyncGenerator<RecordedPods> {
  const { namespace } = cluster;
  if (isAbsenceAnswer) yield* listedRecordings(pods, cluster, signal);
  for await (const { kind, capture } of watchCaptures(cluster, { namespace }, signal)) {
    yield { pod: capture.metadata.name, recordings: kind === 'deleted' ? [] : capture.status.recordings };
  }
}

/** A watch does not say what was gone before it began. What a list lacks is gone once all agents have answered. */
async function* listedRecordings(
  pods: readonly string[],
  cluster: Cluster,
  signal: AbortSignal,
): AsyncGenerator<RecordedPods> {
  for (;;) {
    const { captures, warnings } = await listCaptures(cluster, { namespace: cluster.namespace }, signal);
    const present = new Map(captures.map(({ metadata, status }) => [metadata.name, status.recordings]));
    const isWhole = !isPartial(warnings);
    for (const pod of pods) {
      const recordings = present.get(pod) ?? (isWhole ? [] : undefined);
      if (recordings) yield { pod, recordings };
    }
    if (isWhole) return;
    await abortableSleep(relistMs, signal);
    signal.throwIfAborted();
  }
}

const relistMs = 1_000;

/** What is said of a Pod that could not be changed. */
export function refusedPatch(pod: TargetPod, { message }: PatchRefusal): PodOutcome {
  return { pod: pod.name, kind: 'failed', text: `not changed: ${message}` };
}

/** The recording of a Pod as it was seen last. */
export function lastRecording<A>(
  { recordings }: Pick<AskedPods<A>, 'recordings'>,
  pod: TargetPod,
  known: KnownCaptures,
) {
  return recordings.get(networkUidOf(pod)) ?? recordingOf(known, pod);
}

/** Why nothing, or not all, is known of what agents do. */
export function problemHints(
  { problem }: { readonly problem: string | undefined },
  known: KnownCaptures,
): readonly string[] {
  const why = problem === undefined ? [] : [`what the agents answer is not known: ${problem}`];
  return [...warningsOf(known), ...why];
}
