import { members } from './cgroups.ts';
import { claim } from './cluster-claim.ts';
import type { Owner } from './cluster-owner.ts';
import { existingCluster } from './existing-cluster.ts';
import { kubectl } from './kubectl.ts';
import { checkoutFolders, type Machine, machines } from './layout.ts';
import { machineProcess } from './machine.ts';

export type ClusterStatus = {
  /** True if this checkout's cluster is complete and all its machines are running. */
  readonly up: boolean;
  /** For people. */
  readonly lines: readonly string[];
};

/** Returns whether this checkout's cluster is up, and what there is instead if not. */
export async function status(checkout: string): Promise<ClusterStatus> {
  const existing = existingCluster();
  const claimed = claim(existing, checkout);
  if (claimed.kind === 'nothing') return { up: false, lines: ['this machine has no cluster'] };
  if (claimed.kind === 'theirs') return { up: false, lines: [claimed.message] };
  if (claimed.kind === 'leftover') return { up: false, lines: [describeLeftover(existing.owner)] };
  const nodeList = await kubectl('get', 'nodes', '--request-timeout=5s').catch(String);
  const { kubeconfig } = checkoutFolders(checkout);
  const lines = [`kubeconfig ${kubeconfig}, ${members().length} processes`, ...machines.map(describe)];
  return { up: machines.every(machineProcess), lines: [...lines, nodeList.trimEnd()] };
}

function describeLeftover(owner: Owner | undefined): string {
  const origin = owner === undefined ? 'unknown origin' : `${owner.checkout}, since ${owner.since}`;
  return `a dead or incomplete cluster of ${origin}: 'up' replaces it, 'down' removes it`;
}

function describe(machine: Machine): string {
  const id = machineProcess(machine);
  return `${machine.name}: ${machine.address}, ${id === undefined ? 'not running' : `pid ${id.pid}`}`;
}
