import { acceptedPaths } from '../api/api-paths.ts';
import type { CliCommand, CommandContext, GivenArguments } from '../cli-command.ts';
import { hasFlag } from '../given-arguments.ts';
import { openCluster } from '../kubectl/open-cluster.ts';
import { selectorOption, targetArguments, targetUsage } from '../target-arguments.ts';
import { policyArguments, policyOptions } from './policy-arguments.ts';
import { printEnd } from './print-end.ts';
import { startPods } from './start-pods.ts';
import { startPolicy } from './start-policy.ts';
import { requestOptions, wantedCapture } from './wanted-capture.ts';

export const startCommand: CliCommand = {
  name: 'start',
  summary: 'capture Pods',
  usage: `${targetUsage} [options]`,
  description: `Asks for a capture of the Pods, waits until the agent of each Node has answered,
and prints what it says: capturing, or refused and why. The annotations
tcpdump.antrea.io and podcap.dev/... of the Pods ask for it.

With --policy, a CapturePolicy asks for it instead: it also captures the Pods
that a workload gets later, from their first packet, and needs no right to
change Pods, but one to create CapturePolicies.

What a Pod asks for already stays, unless --overwrite is given. A paused capture
goes on.`,
  options: [
    selectorOption,
    ...requestOptions,
    { name: 'overwrite', description: 'replace what the Pods, or the policy, ask for already' },
    ...policyOptions,
  ],
  examples: [
    { purpose: "Keep the last 50 MB of web's packets", command: 'kubectl podcap start web --files 50' },
    {
      purpose: 'Capture the database traffic of a Deployment for ten minutes',
      command: "kubectl podcap start deployment/web --filter 'tcp port 5432' --duration 10m",
    },
    {
      purpose: 'Keep what passes around each crash, also of Pods to come, for a week',
      command: 'kubectl podcap start deployment/web --freeze-on restart --policy web-crashes --expires 168h',
    },
  ],
  positionals: 'targets',
  run: start,
};

async function start(given: GivenArguments, context: CommandContext): Promise<number> {
  const targets = targetArguments(given);
  const wanted = wantedCapture(given);
  const overwrite = hasFlag(given, 'overwrite');
  const policy = policyArguments(given, targets, Date.now());
  const { pods, workloads, captures, policies } = acceptedPaths;
  const writes = ['PATCH', 'POST'] as const;
  await using cluster = await openCluster(
    context.kubectl,
    [pods, workloads, captures, policies],
    context.signal,
    writes,
  );
  const end = policy
    ? await startPolicy({ wanted, overwrite, policy }, cluster, context)
    : await startPods({ targets, wanted, overwrite }, cluster, context);
  return printEnd(end, context);
}
