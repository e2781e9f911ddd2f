import { cpus, loadavg, release, totalmem } from 'node:os';
import * as v from 'valibot';
import { nodes } from '../../cluster/layout.ts';
import { agentOn } from '../../end-to-end/support/agents.ts';
import { kubectl } from '../../end-to-end/support/run-kubectl.ts';
import { run } from '../../src/testbed/run-program.ts';
import { checkout } from '../../tools/target.ts';
import type { Figure } from '../figure.ts';

/** The machine and the programs with which a figure was measured. */
export type BenchEnvironment = {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGib: number;
    readonly kernel: string;
    /** The load average of the minute before: what else the machine did. */
    readonly load: number;
  };
  /** Of each program involved. */
  readonly versions: Readonly<Record<string, string>>;
};

/** Reads them from this machine, and for a figure on the cluster from the agents. */
export async function describeEnvironment(needs: Figure['needs']): Promise<BenchEnvironment> {
  const cores = cpus();
  return {
    machine: {
      cpu: cores[0]?.model.trim() ?? 'unknown',
      cores: cores.length,
      memoryGib: Math.round(totalmem() / 2 ** 30),
      // The suffix depends on the build, and does not matter here.
      kernel: release().replace(/-.*/, ''),
      load: loadavg()[0] ?? Number.NaN,
    },
    versions: await versionsOf[needs](),
  };
}

const versionsOf: Readonly<Record<Figure['needs'], () => Promise<BenchEnvironment['versions']>>> = {
  cluster: clusterVersions,
  network: networkVersions,
  files: fileVersions,
  hub: hubVersions,
};

/** The bench runs the agent's bundle with this machine's programs. */
async function networkVersions(): Promise<BenchEnvironment['versions']> {
  return {
    ...(await podcapVersions()),
    tcpdump: firstLines(await run(['tcpdump', '--version']), 2),
    dumpcap: firstLines(await run(['dumpcap', '--version']), 1),
  };
}

async function fileVersions(): Promise<BenchEnvironment['versions']> {
  return {
    ...(await podcapVersions()),
    tcpdump: firstLines(await run(['tcpdump', '--version']), 2),
    tshark: firstLines(await run(['tshark', '--version']), 1),
    mergecap: firstLines(await run(['mergecap', '--version']), 1),
    // tcpslice prints no version.
    tcpslice: (await run(['dpkg-query', '--show', '--showformat=${Version}', 'tcpslice'])).trim(),
    chromium: (await run(['chromium', '--version'])).trim(),
  };
}

async function hubVersions(): Promise<BenchEnvironment['versions']> {
  const version = await kubectl('version', '--client', '-o', 'json');
  const { clientVersion } = v.parse(clientVersionSchema, JSON.parse(version));
  return { ...(await podcapVersions()), kubectl: clientVersion.gitVersion };
}

async function podcapVersions(): Promise<BenchEnvironment['versions']> {
  const commit = await run(['git', '-C', checkout, 'describe', '--always', '--dirty']);
  return { podcap: commit.trim(), node: process.version };
}

function firstLines(text: string, count: number): string {
  return text.split('\n').slice(0, count).join(', ');
}

async function clusterVersions(): Promise<BenchEnvironment['versions']> {
  const agent = await agentOn(nodes[0]?.name ?? '');
  const inAgent = (...command: readonly string[]) =>
    kubectl('-n', 'kube-system', 'exec', agent, '--', ...command);
  const imageId = 'jsonpath={.status.containerStatuses[0].imageID}';
  const image = await kubectl('-n', 'kube-system', 'get', 'pod', agent, '-o', imageId);
  const { serverVersion } = v.parse(versionSchema, JSON.parse(await kubectl('version', '-o', 'json')));
  return {
    kubernetes: serverVersion.gitVersion,
    // The second line is libpcap's version.
    tcpdump: firstLines(await inAgent('tcpdump', '--version'), 2),
    node: (await inAgent('node', '--version')).trim(),
    // The digest of the image that the agents run.
    image: /sha256:[0-9a-f]{12}/.exec(image)?.[0] ?? image,
  };
}

const clientVersionSchema = v.object({ clientVersion: v.object({ gitVersion: v.string() }) });
const versionSchema = v.object({ serverVersion: v.object({ gitVersion: v.string() }) });
