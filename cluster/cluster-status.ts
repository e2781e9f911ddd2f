import { members } from './cgroups.ts';
import { claim, type Owner } from './cluster-owner.ts';
import { existingCluster } from './existing-cluster.ts';
import { kubectl } from './kubectl.ts';
import { checkoutFolders, machines } from './layout.ts';
import { machineProcess } from './machine.ts';

export type ClusterStatus = {
  /** True if this checkout's cluster is complete and its control plane runs. */
  readonly up: boolean;
  readonly lines: readonly string[];
};

export async function status(checkout: string): Promise<ClusterStatus> {
  const there = existingCluster();
  const claimed = claim(there, checkout);
  if (claimed.kind === 'nothing') return { up: false, lines: ['there is no cluster on this machine'] };
  if (claimed.kind === 'theirs') return { up: false, lines: [claimed.message] };
  if (claimed.kind === 'leftover') return { up: false, lines: [describeLeftover(there.owner)] };
  const nodeList = await kubectl('get', 'nodes', '--request-timeout=5s').catch(String);
  const { kubeconfig } = checkoutFolders(checkout);
  const lines = [`kubeconfig ${kubeconfig}, ${members().length} processes`, ...machines.map(describe)];
  return { up: machines.every(machineProcess), lines: [...lines, nodeList.trimEnd()] };
}

function describeLeftover(owner: Owner | undefined): string {
  const whose = owner === undefined ? 'unknown origin' : `${owner.checkout}, since ${owner.since}`;
  return `a dead or half-made cluster of ${whose}: 'up' replaces it, 'down' removes it`;
}

function describe(machine: (typeof machines)[number]): string {
  const id = machineProcess(machine);
  return `${machine.name}: ${machine.address}, ${id === undefined ? 'not running' : `pid ${id.pid}`}`;
}
