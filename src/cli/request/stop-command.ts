import { acceptedPaths } from '../api/api-paths.ts';
import type { CliCommand, CommandContext, GivenArguments } from '../cli-command.ts';
import { openCluster } from '../kubectl/open-cluster.ts';
import { selectorOption, targetArguments, targetUsage } from '../target-arguments.ts';
import { printEnd } from './print-end.ts';
import { stopPods } from './stop-pods.ts';

export const stopCommand: CliCommand = {
  name: 'stop',
  summary: 'stop capturing, and keep the files',
  usage: targetUsage,
  description: `Pauses the captures of the Pods (podcap.dev/paused=true) and waits until their
last packets are in a file. The files stay: kubectl podcap save downloads them,
kubectl podcap start continues, and kubectl podcap discard deletes them.`,
  options: [selectorOption],
  examples: [
    { purpose: 'Stop capturing a Pod', command: 'kubectl podcap stop web' },
    { purpose: 'Stop capturing all Pods of a Deployment', command: 'kubectl podcap stop deployment/web' },
    { purpose: 'Stop capturing the Pods with a label', command: 'kubectl podcap stop -l app=web' },
  ],
  positionals: 'targets',
  run: stop,
};

async function stop(given: GivenArguments, context: CommandContext): Promise<number> {
  const targets = targetArguments(given);
  const { pods, workloads, captures } = acceptedPaths;
  const paths = [pods, workloads, captures];
  await using cluster = await openCluster(context.kubectl, paths, context.signal, ['PATCH']);
  const end = await stopPods(targets, cluster, context);
  return printEnd(end, context);
}
