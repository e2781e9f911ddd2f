import { packetRules } from '../../agent/planner/annotations.ts';
import { type CaptureOutput, openCaptureOutput } from '../../commands/capture-output.ts';
import { acceptedPaths } from '../api/api-paths.ts';
import { openCaptureStream } from '../api/open-capture-stream.ts';
import type { Targets } from '../api/targets.ts';
import { type CliCommand, type CommandContext, CommandFailure, type GivenArguments } from '../cli-command.ts';
import { wrongUsage } from '../given-arguments.ts';
import { openCluster } from '../kubectl/open-cluster.ts';
import { targetArguments, targetUsage } from '../target-arguments.ts';
import { captureSink, podFirst } from './capture-sink.ts';
import { lineSink } from './line-sink.ts';
import { type LiveArguments, liveArguments } from './live-arguments.ts';
import { livePods, podChanges } from './live-pods.ts';
import type { LiveSink } from './live-sink.ts';
import { runLive } from './run-live.ts';
import { findWireshark, startWireshark } from './wireshark.ts';

export const liveCommand: CliCommand = {
  name: 'live',
  summary: 'show the packets of Pods as they pass',
  usage: `${targetUsage} [options]`,
  description: `Shows the packets of one or more running Pods in the order of their times: as
lines, in Wireshark, or as a capture for another program. The Pods need no
annotation, and nothing is written on their Nodes. Times are in UTC.

Of a workload or a selector, Pods that come are watched too. A stream that is
cut is opened again, and how long that took is said. The command ends with
Ctrl-C, when its Pods have ended, or with its reader, and says then how many
packets there were. If it knows that some are missing, the exit code is 3.`,
  options: [
    { name: 'selector', short: 'l', value: 'SELECTOR', description: 'Pods with these labels' },
    {
      name: 'filter',
      value: 'EXPRESSION',
      description: 'only packets that match this pcap-filter(7) expression, as tcpdump has it',
    },
    {
      name: 'interface',
      short: 'i',
      value: 'NAMES',
      description: `${packetRules.interfaces.allowed}; default eth0`,
    },
    { name: 'snaplen', value: 'BYTES', description: packetRules.snaplen.effect },
    { name: 'count', short: 'c', value: 'NUMBER', description: 'end after this many packets' },
    { name: 'duration', value: 'DURATION', description: 'end after this time, such as 90s or 10m' },
    { name: 'wireshark', description: 'open Wireshark with the packets; ends when it is closed' },
    { name: 'to', value: 'FILE', description: 'write a capture (pcapng); - is standard output' },
    { name: 'overwrite', description: 'replace FILE if it is there' },
  ],
  examples: [
    { purpose: "See a Pod's packets", command: 'kubectl podcap live web-0' },
    {
      purpose: 'See DNS of all Pods of a Deployment, failures in red',
      command: "kubectl podcap live deploy/web --filter 'udp port 53'",
    },
    { purpose: 'Watch two Pods in Wireshark', command: 'kubectl podcap live web-0 db-0 --wireshark' },
  ],
  positionals: 'targets',
  run: live,
};

async function live(given: GivenArguments, context: CommandContext): Promise<number> {
  const { terminal, kubectl, signal } = context;
  const asked = liveArguments(given);
  const targets = targetArguments(given);
  if (asked.to.kind === 'capture' && asked.to.path === '-' && terminal.stdout.isTTY === true)
    throw wrongUsage('a capture cannot be shown on a terminal: leave out --to -, or redirect the output');
  const wireshark = asked.to.kind === 'wireshark' ? await findWireshark(terminal.env) : undefined;
  await using cluster = await openCluster(kubectl, pathsOf(targets), signal);
  const pods = await livePods(cluster, targets, signal);
  const { sink: opened, ended } = await openSink(asked, {
    terminal,
    signal,
    wireshark,
    hasNames: pods.length > 1 || targets.kind !== 'pods',
  });
  await using sink = opened;
  return await runLive({
    ...asked,
    pods,
    changes: targets.kind === 'pods' ? undefined : (watching) => podChanges(cluster, targets, watching),
    open: (request, opening) => openCaptureStream(cluster, request, opening),
    sink,
    ...(ended && { outputEnded: ended }),
    terminal,
    signal,
  });
}

/** No more than the targets need. */
function pathsOf({ kind }: Targets): readonly string[] {
  const { pods, taps, workloads } = acceptedPaths;
  return kind === 'workload' ? [pods, taps, workloads] : [pods, taps];
}

type SinkParts = Pick<CommandContext, 'terminal' | 'signal'> & {
  /** Its path. */
  readonly wireshark: string | undefined;
  readonly hasNames: boolean;
};

type OpenedSink = { readonly sink: LiveSink; readonly ended?: AbortSignal };

async function openSink(
  { to, asked, overwrite }: LiveArguments,
  { terminal, signal, wireshark, hasNames }: SinkParts,
): Promise<OpenedSink> {
  if (wireshark !== undefined) {
    const { output, ended } = await startWireshark(wireshark, { env: terminal.env, hasNames });
    return { sink: captureSink(output, { describe: podFirst }), ended };
  }
  if (to.kind === 'capture')
    return { sink: captureSink(await openOutput(to.path, { terminal, signal, overwrite })) };
  const hasInterfaces = asked.interface?.includes(',') ?? false;
  return { sink: lineSink({ terminal, hasNames, hasInterfaces }) };
}

async function openOutput(
  path: string,
  {
    terminal,
    signal,
    overwrite,
  }: Pick<CommandContext, 'terminal' | 'signal'> & Pick<LiveArguments, 'overwrite'>,
): Promise<CaptureOutput> {
  const existing = overwrite ? 'replaced' : 'kept';
  const opened = await openCaptureOutput(path, terminal, { existing, signals: 'callers', signal });
  if (opened.kind === 'open') return opened.output;
  throw new CommandFailure(opened.message, opened.exitCode);
}
