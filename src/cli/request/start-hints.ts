import { captureAnnotation } from '../../agent/planner/annotations.ts';
import type { Targets } from '../api/targets.ts';
import { type CommandPlace, suggestedCommand } from '../suggested-command.ts';
import { shellWord, targetsText } from '../target-arguments.ts';
import type { PodOutcome } from './pod-outcome.ts';
import { optionsText, type WantedCapture } from './wanted-capture.ts';

export type StartEnd = {
  readonly targets: Targets;
  readonly wanted: WantedCapture;
  readonly outcomes: readonly PodOutcome[];
  /** The user may not change Pods. */
  readonly isForbidden: boolean;
  readonly namespace: string;
  readonly place: CommandPlace;
};

/** What to do next, after the outcomes. Pure. */
export function startHints(end: StartEnd): readonly string[] {
  const { targets, isForbidden, outcomes, namespace, place } = end;
  if (isForbidden) {
    return [
      `you may not change these Pods. Whoever may create CapturePolicies in namespace ${namespace} can ask for the same with a policy: ${policyCommand(end)}`,
    ];
  }
  const isDone = outcomes.some(({ kind }) => kind === 'done');
  const isRefused = outcomes.some((outcome) => outcome.isRefused === true);
  return [
    ...(isDone && targets.kind !== 'pods'
      ? [
          `Pods that ${laterText(targets)} later are not captured; a policy captures them too: ${policyCommand(end)}`,
        ]
      : []),
    ...(isRefused
      ? [
          `what is refused stays in the annotation ${captureAnnotation} until it is changed: start it with other values and --overwrite, or ${suggestedCommand(`kubectl podcap discard ${targetsText(targets)}`, place)}`,
        ]
      : []),
  ];
}

function laterText(targets: Exclude<Targets, { readonly kind: 'pods' }>): string {
  return `${targetsText(targets)} ${targets.kind === 'workload' ? 'gets' : 'selects'}`;
}

function policyCommand({ targets, wanted, place }: StartEnd): string {
  const [whose, name] = policyTarget(targets);
  const options = optionsText(wanted);
  const words = ['kubectl podcap start', whose, ...(options === '' ? [] : [options]), `--policy ${name}`];
  return suggestedCommand(words.join(' '), place);
}

/** A policy selects by labels: Pods alone have no selector. */
function policyTarget(targets: Targets): readonly [whose: string, name: string] {
  switch (targets.kind) {
    case 'workload':
      return [targetsText(targets), shellWord(targets.name)];
    case 'selector':
      return [targetsText(targets), 'NAME'];
    case 'pods':
      return ['-l LABEL=VALUE', targets.names.length === 1 ? shellWord(targets.names[0] ?? '') : 'NAME'];
  }
}
