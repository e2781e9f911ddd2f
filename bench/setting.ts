import { cpus, loadavg, release, totalmem } from 'node:os';
import * as v from 'valibot';
import { nodes } from '../cluster/layout.ts';
import { agentOn, kubectl } from '../test/support/cluster.ts';

/** On what a figure was measured. */
export type Setting = {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGib: number;
    readonly kernel: string;
    /** Mean of the minute before: what else the machine did. */
    readonly load: number;
  };
  readonly versions: {
    readonly kubernetes: string;
    /** As the agent's image has it, libpcap included. */
    readonly tcpdump: string;
    readonly node: string;
    /** Digest of the image that the agents run. */
    readonly image: string;
  };
};

/** Asks the machine and the agents of the cluster. */
export async function settingNow(): Promise<Setting> {
  const cores = cpus();
  return {
    machine: {
      cpu: cores[0]?.model.trim() ?? 'unknown',
      cores: cores.length,
      memoryGib: Math.round(totalmem() / 2 ** 30),
      // What a builder of kernels adds to the version says nothing here.
      kernel: release().replace(/-.*/, ''),
      load: loadavg()[0] ?? Number.NaN,
    },
    versions: await versions(),
  };
}

async function versions(): Promise<Setting['versions']> {
  const agent = await agentOn(nodes[0]?.name ?? '');
  const inAgent = (...command: readonly string[]) =>
    kubectl('-n', 'kube-system', 'exec', agent, '--', ...command);
  const imageId = 'jsonpath={.status.containerStatuses[0].imageID}';
  const image = await kubectl('-n', 'kube-system', 'get', 'pod', agent, '-o', imageId);
  const { serverVersion } = v.parse(versionSchema, JSON.parse(await kubectl('version', '-o', 'json')));
  return {
    kubernetes: serverVersion.gitVersion,
    tcpdump: (await inAgent('tcpdump', '--version')).split('\n').slice(0, 2).join(', '),
    node: (await inAgent('node', '--version')).trim(),
    image: /sha256:[0-9a-f]{12}/.exec(image)?.[0] ?? image,
  };
}

const versionSchema = v.object({ serverVersion: v.object({ gitVersion: v.string() }) });
