import { outputTo } from '../../../commands/standard-output.ts';
import { cannotWrite, defaultUnreadSeconds, exitCodes } from '../../../commands/terminal.ts';
import { acceptedPaths } from '../../api/api-paths.ts';
import type { Cluster } from '../../api/cluster.ts';
import {
  type CliCommand,
  type CommandContext,
  CommandFailure,
  type GivenArguments,
} from '../../cli-command.ts';
import { hasFlag } from '../../given-arguments.ts';
import { openCluster } from '../../kubectl/open-cluster.ts';
import { hasColours } from '../../live/line-colours.ts';
import { apiFindingPaths, apiFindings } from './api-findings.ts';
import { captureFindings } from './capture-findings.ts';
import { componentFindingPaths, componentFindings } from './component-findings.ts';
import { type Finding, findingText } from './finding.ts';
import { programFindings, wiresharkFinding } from './local-findings.ts';
import { rightsFindings } from './rights-findings.ts';

export const checkCommand: CliCommand = {
  name: 'check',
  summary: 'find out why something does not work',
  usage: '[-A] [options]',
  description: `Checks what kubectl podcap needs, and prints a line for each: kubectl and
Wireshark on this machine; the API server and the clocks; the hub and the
agents; what you may do in the namespace, by verb; and the captures of the
namespace that are refused, failed or waiting, and why.

A line begins with ok; with fix, and says what to do; or with note, for what is
not needed, or not known to you because you may not ask for it. The exit code
is 0 if nothing is to fix, and 1 otherwise.`,
  options: [
    {
      name: 'all-namespaces',
      short: 'A',
      description: 'check your rights and the captures in all namespaces',
    },
  ],
  examples: [
    { purpose: 'Find out why something does not work', command: 'kubectl podcap check' },
    {
      purpose: 'Find out what is wrong with captures of another namespace',
      command: 'kubectl podcap check -n shop',
    },
    {
      purpose: 'Find out what another user may do, if you may impersonate users',
      command: 'kubectl podcap check -n shop --as jane',
    },
  ],
  positionals: 'none',
  run: check,
};

async function check(given: GivenArguments, context: CommandContext): Promise<number> {
  const { terminal } = context;
  using output = outputTo(terminal.stdout, { unreadMs: defaultUnreadSeconds * 1_000 });
  const columns = terminal.stdout.isTTY === true ? terminal.stdout.columns || undefined : undefined;
  const layout = { hasColours: hasColours(terminal), columns };
  let isOk = true;
  for await (const finding of findings(context, hasFlag(given, 'all-namespaces'))) {
    isOk &&= finding.status !== 'fix';
    const text = Buffer.from(findingText(finding, layout));
    const written = await output.write(text).catch((cause: unknown) => {
      throw new CommandFailure(cannotWrite('standard output', cause), exitCodes.failed, { cause });
    });
    if (written !== 'written') break;
  }
  return isOk ? exitCodes.done : exitCodes.failed;
}

/** In an order in which each explains those that follow it. */
async function* findings(context: CommandContext, isOfAll: boolean): AsyncGenerator<Finding, void> {
  const { kubectl, terminal, signal } = context;
  const wireshark = wiresharkFinding(terminal.env, signal);
  // It is awaited below.
  wireshark.catch(() => {});
  const programs = await programFindings(kubectl, signal);
  yield* programs;
  yield await wireshark;
  if (programs.some(({ status }) => status === 'fix')) return;
  try {
    await using cluster = await openCluster(kubectl, paths, signal, ['POST']);
    yield* clusterFindings(cluster, isOfAll, signal);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    yield { status: 'fix', subject: 'API server', text: error.message };
  }
}

const paths = [
  ...apiFindingPaths,
  ...componentFindingPaths,
  acceptedPaths.captures,
  acceptedPaths.accessReviews,
];

async function* clusterFindings(
  cluster: Cluster,
  isOfAll: boolean,
  signal: AbortSignal,
): AsyncGenerator<Finding, void> {
  const api = await apiFindings(cluster, signal);
  yield* api.findings;
  if (!api.isLoggedIn) return;
  const namespace = isOfAll ? undefined : cluster.namespace;
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
  const parts = [
    componentFindings(cluster, inTime),
    rightsFindings(cluster, namespace, inTime),
    captureFindings(cluster, namespace, inTime),
  ];
  for (const part of parts) part.catch(() => {});
  for (const part of parts) yield* await answered(part, signal);
}

/** The API server itself gives up a request after 60 s. */
const answerMs = 70_000;

async function answered(part: Promise<readonly Finding[]>, signal: AbortSignal): Promise<readonly Finding[]> {
  try {
    return await part;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CommandFailure)
      return [{ status: 'fix', subject: 'API server', text: error.message }];
    if (!(error instanceof DOMException && error.name === 'TimeoutError')) throw error;
    const text = `it has not answered within ${answerMs / 1_000} s: try again`;
    return [{ status: 'fix', subject: 'API server', text }];
  }
}
