import { annotationRules, mostLimits } from '../../agent/planner/annotations.ts';
import { acceptedPaths } from '../api/api-paths.ts';
import type { CliCommand, CommandContext, GivenArguments } from '../cli-command.ts';
import { optionText, wrongUsage } from '../given-arguments.ts';
import { openCluster } from '../kubectl/open-cluster.ts';
import { selectorOption, targetArguments, targetUsage } from '../target-arguments.ts';
import { freezePods } from './freeze-pods.ts';
import { printEnd } from './print-end.ts';

export const freezeCommand: CliCommand = {
  name: 'freeze',
  summary: 'set the packets of now aside, so that later ones do not push them out',
  usage: `${targetUsage} [--reason TEXT]`,
  description: `Freezes the rings of the Pods: what they have now, and what passes in the next
seconds (podcap.dev/freeze-after, 5s by default), is kept beside the ring, and
capturing goes on in a new one. Waits until the frozen rings are there, and
prints their numbers.`,
  options: [
    selectorOption,
    { name: 'reason', value: 'TEXT', description: 'why, which is shown with the frozen ring' },
  ],
  examples: [
    { purpose: 'Keep what has just passed', command: "kubectl podcap freeze web --reason 'slow at 10:15'" },
    { purpose: 'The same of all Pods of a Deployment', command: 'kubectl podcap freeze deployment/web' },
    { purpose: 'The same of the Pods with a label', command: 'kubectl podcap freeze -l app=web' },
  ],
  positionals: 'targets',
  run: freeze,
};

async function freeze(given: GivenArguments, context: CommandContext): Promise<number> {
  const targets = targetArguments(given);
  const text = freezeText(optionText(given, 'reason'), new Date());
  const { pods, workloads, captures } = acceptedPaths;
  const paths = [pods, workloads, captures];
  await using cluster = await openCluster(context.kubectl, paths, context.signal, ['PATCH']);
  const end = await freezePods({ targets, text }, cluster, context);
  return printEnd(end, context);
}

/** Each new text freezes once, so one without a reason has the time. Throws CommandFailure (wrong usage). */
export function freezeText(reason: string | undefined, now: Date): string {
  const text = reason ?? `kubectl podcap freeze at ${now.toISOString()}`;
  const { parse, allowed } = annotationRules(mostLimits).freeze;
  if (parse(text) === undefined) throw wrongUsage(`--reason=${JSON.stringify(text)}: must be ${allowed}`);
  return text;
}
