import type { CaptureSpec } from '../../agent/planner/annotations.ts';
import { printText } from '../../commands/terminal.ts';
import { type LabelSelector, parseLabelSelector } from '../../kubernetes/label-selector.ts';
import type { Cluster } from '../api/cluster.ts';
import { listPods } from '../api/pods-client.ts';
import type { TargetPod } from '../api/targets.ts';
import { readWorkload } from '../api/workloads-client.ts';
import { type CommandContext, CommandFailure } from '../cli-command.ts';
import type { CommandPlace } from '../suggested-command.ts';
import { answeredOutcome } from './answered-outcome.ts';
import { type AwaitedPod, awaitPods, type CommandEnd, lastRecording, problemHints } from './ask-pods.ts';
import { type AnswerTiming, type AwaitedAnswers, answerTiming } from './await-answers.ts';
import { awaitedRequest } from './awaited-request.ts';
import { type KnownCaptures, knownCaptures } from './known-captures.ts';
import { outcomeCode, outcomeLines, type PodOutcome } from './pod-outcome.ts';
import type { PolicyArguments } from './policy-arguments.ts';
import { policySpec } from './policy-manifest.ts';
import { requestText, unansweredText } from './recording-text.ts';
import type { RequestAnswer } from './request-answer.ts';
import { requestIn } from './request-change.ts';
import { livingPods, obstacleTo, policyOf } from './start-decision.ts';
import type { WantedCapture } from './wanted-capture.ts';
import { type WrittenPolicy, writePolicy } from './write-policy.ts';

export type StartedPolicy = {
  readonly wanted: WantedCapture;
  readonly overwrite: boolean;
  readonly policy: PolicyArguments;
};

/** Asks for the captures by a CapturePolicy, and prints what became of it and of the Pods that it selects now. */
export async function startPolicy(
  { wanted, overwrite, policy }: StartedPolicy,
  cluster: Cluster,
  { terminal, signal }: Pick<CommandContext, 'terminal' | 'signal'>,
  timing: AnswerTiming = answerTiming,
): Promise<CommandEnd> {
  const { namespace } = cluster;
  const { selector, labelSelector } = await selectorOf(policy, cluster, signal);
  const known = await knownCaptures(cluster, labelSelector, signal);
  const spec = policySpec(wanted, { selector, expires: policy.expires });
  const written = await writePolicy(cluster, { namespace, name: policy.name, spec }, { overwrite, signal });
  const head = policyOutcome(policy, written);
  if (head.kind === 'failed') {
    const code = await printText(terminal, outcomeLines([head]));
    return { hints: [], code: Math.max(code, outcomeCode([head])) };
  }
  const selected = await selectedPods(cluster, labelSelector, signal);
  const asked = { ...wanted.spec, policy: policy.name };
  const pods = selected.pods.filter(isAsked);
  const awaited = pods.map((pod) => awaitedPod(pod, asked, known));
  const answers = await awaitPods(awaited, { cluster, known, timing, terminal, signal });
  const ofPods = selected.pods.map((pod) => podOutcome(pod, { answers, known, place: cluster }));
  const outcomes = [head, ...ofPods];
  const code = await printText(terminal, outcomeLines(outcomes));
  return {
    hints: [...selected.hints, ...problemHints(answers, known)],
    code: Math.max(code, outcomeCode(outcomes)),
  };
}

type PolicySelection = { readonly selector: LabelSelector; readonly labelSelector: string };

/** Of a workload, its own. */
async function selectorOf(
  { selects }: PolicyArguments,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<PolicySelection> {
  if (selects.kind === 'labels') return { selector: selects.selector, labelSelector: selects.text };
  const { labelSelector } = await readWorkload(cluster, selects, signal);
  const selector = parseLabelSelector(labelSelector);
  if ('kind' in selector)
    throw new Error(`the selector of ${selects.type}/${selects.name}: ${selector.message}`);
  return { selector, labelSelector };
}

function policyOutcome({ name, expires }: PolicyArguments, written: WrittenPolicy): PodOutcome {
  const pod = `CapturePolicy ${name}`;
  switch (written.kind) {
    case 'created':
    case 'replaced':
      return { pod, kind: 'done', text: `${written.kind}, ${untilText(expires)}` };
    case 'same':
      return { pod, kind: 'done', text: `asks for that already, ${untilText(written.expires)}` };
    case 'kept':
      return {
        pod,
        kind: 'failed',
        text: 'exists and asks for something else: choose another name, or replace it with --overwrite',
      };
    case 'refused':
      return { pod, kind: 'failed', text: `not created: ${written.message}` };
  }
}

function untilText(time: string | undefined): string {
  return time === undefined ? 'until it is deleted' : `until ${time}`;
}

/** Whoever may create a policy need not be allowed to see Pods. */
async function selectedPods(
  cluster: Cluster,
  labelSelector: string,
  signal: AbortSignal,
): Promise<{ readonly pods: readonly TargetPod[]; readonly hints: readonly string[] }> {
  try {
    const pods = await listPods(cluster, { namespace: cluster.namespace, labelSelector }, signal);
    const hints = pods.length === 0 ? ['no Pod has these labels now: the policy captures those to come'] : [];
    return { pods: livingPods(pods), hints };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    return { pods: [], hints: [`which Pods it selects is not known: ${error.message}`] };
  }
}

/** Whether the policy decides about the Pod: a request of its own replaces it. */
function isAsked(pod: TargetPod): boolean {
  return obstacleTo(pod) === undefined && requestIn(pod).kind === 'none';
}

type PolicyAnswer = Pick<RequestAnswer, 'kind'> | { readonly kind: 'otherPolicy'; readonly name: string };

/** Of two policies, the older one decides: if it still does after a while, the agent has seen both. */
function awaitedPod(pod: TargetPod, spec: CaptureSpec, known: KnownCaptures): AwaitedPod<PolicyAnswer> {
  const ofRequest = awaitedRequest(pod, spec, known);
  return {
    pod,
    answerOf(recording) {
      const name = policyOf(recording);
      if (name === undefined || name === spec.policy) return ofRequest.answerOf(recording);
      return { answer: { kind: 'otherPolicy', name }, isCertain: false };
    },
  };
}

type PolicyAnswers = {
  readonly answers: AwaitedAnswers<PolicyAnswer>;
  readonly known: KnownCaptures;
  readonly place: CommandPlace;
};

function podOutcome(pod: TargetPod, { answers, known, place }: PolicyAnswers): PodOutcome {
  const obstacle = obstacleTo(pod);
  if (obstacle !== undefined) return { pod: pod.name, kind: 'failed', text: obstacle };
  const own = requestIn(pod);
  if (own.kind !== 'none') {
    const asked = own.kind === 'capture' ? requestText(own.spec) : own.refusal.message;
    return {
      pod: pod.name,
      kind: 'failed',
      text: `has a request of its own, which replaces that of the policy: ${asked}`,
    };
  }
  const recording = lastRecording(answers, pod, known);
  const answer = recording && answers.answers.get(recording.uid);
  if (answer?.kind === 'otherPolicy') {
    const text = `CapturePolicy ${answer.name}, which is older, decides about it`;
    return { pod: pod.name, kind: 'failed', text };
  }
  if (answer && recording) return answeredOutcome(pod, answer.kind, recording);
  const text = unansweredText('the policy', {
    node: pod.node,
    recording,
    place,
    isKnown: known.kind === 'known',
  });
  return { pod: pod.name, kind: pod.node === undefined ? 'done' : 'open', text };
}
