import { acceptedPaths } from '../api/api-paths.ts';
import type { CliCommand, CommandContext, GivenArguments } from '../cli-command.ts';
import { hasFlag } from '../given-arguments.ts';
import { openCluster } from '../kubectl/open-cluster.ts';
import { selectorOption, targetArguments, targetUsage } from '../target-arguments.ts';
import { discardPods } from './discard-pods.ts';
import { printEnd } from './print-end.ts';

export const discardCommand: CliCommand = {
  name: 'discard',
  summary: 'stop capturing, and delete the files',
  usage: `${targetUsage} [--yes]`,
  description: `Removes the annotations of Podcap from the Pods, so that their Nodes delete the
files, frozen rings as well, and deletes what is left of Pods of these names,
or with these labels, that are gone; TYPE/NAME is about Pods that are there.
Says first what that is and how much, and asks on a terminal; where there is
none, it needs --yes.`,
  options: [selectorOption, { name: 'yes', short: 'y', description: 'delete without asking' }],
  examples: [
    { purpose: 'Delete what is recorded of a Pod', command: 'kubectl podcap discard web' },
    { purpose: 'The same of all Pods of a Deployment', command: 'kubectl podcap discard deployment/web' },
    { purpose: 'The same in a script', command: 'kubectl podcap discard -l app=web --yes' },
  ],
  positionals: 'targets',
  run: discard,
};

async function discard(given: GivenArguments, context: CommandContext): Promise<number> {
  const targets = targetArguments(given);
  const isSure = hasFlag(given, 'yes');
  const { pods, workloads, captures, capture } = acceptedPaths;
  await using cluster = await openCluster(
    context.kubectl,
    [pods, workloads, captures, capture],
    context.signal,
    ['PATCH', 'DELETE'],
  );
  const end = await discardPods({ targets, isSure }, cluster, context);
  return printEnd(end, context);
}
