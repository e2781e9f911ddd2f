import { plainJson, plainText } from '../../base/plain-text.ts';
import { printText } from '../../commands/terminal.ts';
import { type CliCommand, type CommandContext, CommandFailure } from '../cli-command.ts';
import { hasFlag, optionText } from '../given-arguments.ts';
import { readKubectlVersion } from '../kubectl/kubectl-version.ts';
import { openCluster } from '../kubectl/open-cluster.ts';
import { clientVersion } from './client-version.ts';
import {
  type ComponentVersion,
  componentPaths,
  type Installed,
  installedAgents,
  installedHubs,
} from './component-versions.ts';

/** `kubectl podcap version`. */
export const versionCommand: CliCommand = {
  name: 'version',
  summary: 'print the versions of this program, kubectl, the hub and the agents',
  usage: '[options]',
  description: `Prints the versions of this program and of kubectl, and those of the hub and the
agents, as their Deployment and DaemonSet in the cluster name them. Whoever may
not list these gets the reason instead.`,
  options: [
    { name: 'client', description: 'print the version of this program, and ask nobody' },
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['json'], description: 'print it as json' },
  ],
  examples: [
    { purpose: 'Print all versions', command: 'kubectl podcap version' },
    { purpose: 'Print that of this program alone', command: 'kubectl podcap version --client' },
    {
      purpose: 'Print those of another cluster for a script',
      command: 'kubectl podcap version --context staging -o json',
    },
  ],
  positionals: 'none',
  async run(given, context) {
    const isJson = optionText(given, 'output') === 'json';
    const versions = hasFlag(given, 'client') ? clientAlone : await readVersions(context);
    return await printText(context.terminal, isJson ? `${plainJson(versions)}\n` : versionLines(versions));
  },
};

type Versions = {
  readonly client: string;
  readonly node: string;
  readonly kubectl?: string;
  readonly hub?: Installed;
  readonly agents?: Installed;
};

const clientAlone: Versions = { client: clientVersion, node: process.versions.node };

async function readVersions({ kubectl, signal }: CommandContext): Promise<Versions> {
  const [kubectlVersion, installed] = await Promise.all([
    readKubectlVersion(kubectl, signal),
    readInstalled(kubectl, signal),
  ]);
  return { ...clientAlone, ...(kubectlVersion !== undefined && { kubectl: kubectlVersion }), ...installed };
}

/** A cluster that cannot be reached is no reason to say nothing about the rest. */
async function readInstalled(
  kubectl: CommandContext['kubectl'],
  signal: AbortSignal,
): Promise<Pick<Versions, 'hub' | 'agents'>> {
  try {
    await using cluster = await openCluster(kubectl, componentPaths, signal);
    const [hub, agents] = await Promise.all([
      installedHubs(cluster, signal),
      installedAgents(cluster, signal),
    ]);
    return { hub, agents };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    const unknown: Installed = { kind: 'unknown', message: error.message };
    return { hub: unknown, agents: unknown };
  }
}

/** A line for each part, and for each installation of it. */
function versionLines({ client, node, kubectl, hub, agents }: Versions): string {
  const rows: readonly VersionRow[] = [
    ['kubectl podcap', `${client}, on Node.js ${node}`],
    ...(kubectl === undefined ? [] : [['kubectl', kubectl] as const]),
    ...clusterRows(hub, agents),
  ];
  return rows.map(([part, version]) => `${part.padEnd(partColumns)}${plainText(version)}\n`).join('');
}

const partColumns = 16;

type VersionRow = readonly [part: string, version: string];

/** A reason that both have, such as a cluster that cannot be reached, is said once. */
function clusterRows(hub: Installed | undefined, agents: Installed | undefined): readonly VersionRow[] {
  if (hub === undefined || agents === undefined) return [];
  if (hub.kind === 'unknown' && agents.kind === 'unknown' && hub.message === agents.message)
    return installedRows('hub, agents', '', hub);
  return [...installedRows('hub', 'replicas', hub), ...installedRows('agents', 'Nodes', agents)];
}

function installedRows(part: string, things: string, installed: Installed): readonly VersionRow[] {
  if (installed.kind === 'unknown') return [[part, `not known: ${installed.message.replaceAll('\n', ' ')}`]];
  if (installed.components.length === 0) return [[part, 'not installed']];
  return installed.components.map((component) => [part, componentText(component, things)]);
}

function componentText(
  { namespace, name, version, ready, desired, updated }: ComponentVersion,
  things: string,
): string {
  const rollout = updated < desired ? `, ${desired - updated} of them still older` : '';
  return `${version ?? 'without a version'}: ${ready} of ${desired} ${things} ready${rollout} (${namespace}/${name})`;
}
