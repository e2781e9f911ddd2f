import { homedir } from 'node:os';
import { join } from 'node:path';

/** One "computer" of the cluster: a set of namespaces with a pid 1 of its own. */
export type Machine = {
  readonly name: string;
  readonly role: 'control' | 'node';
  readonly address: string;
};

export type ClusterNode = Machine & {
  readonly role: 'node';
  readonly podCidr: string;
};

/**
 * Every address of the cluster. The machines' network is part of 198.18.0.0/15, which RFC 2544 keeps for
 * benchmarks: no LAN uses it, so the one route that the root namespace gets hides nothing.
 */
export const addresses = {
  network: '198.18.213.0/24',
  prefixLength: 24,
  host: '198.18.213.1',
  control: '198.18.213.10',
  pods: '10.244.0.0/16',
  services: '10.96.0.0/16',
  dns: '10.96.0.10',
} as const;

export const control: Machine = { name: 'control', role: 'control', address: addresses.control };

/** A /22 each: 1,021 Pods fit, the kubelet is told to take 250. */
export const nodes: readonly ClusterNode[] = [
  { name: 'node1', role: 'node', address: '198.18.213.11', podCidr: '10.244.0.0/22' },
  { name: 'node2', role: 'node', address: '198.18.213.12', podCidr: '10.244.4.0/22' },
];

export const machines: readonly Machine[] = [control, ...nodes];

export function nodeNamed(name: string): ClusterNode {
  const node = nodes.find((each) => each.name === name);
  if (!node) throw new Error(`the cluster has no Node ${name}`);
  return node;
}

export const apiServer = `https://${addresses.control}:6443`;

/** The one link that the cluster has in the root network namespace. */
export const hostLink = 'podcap0';

/** The parent of all the cluster's cgroups, in every hierarchy: what is in it belongs to the cluster. */
export const cgroupName = 'podcap-cluster';

const state = '/var/lib/podcap-cluster';

/** What the cluster keeps outside the checkout while it stands; `down` deletes it last. */
export const stateFolders = {
  root: state,
  owner: join(state, 'owner.json'),
  bin: join(state, 'bin'),
  inside: join(state, 'inside'),
  pki: join(state, 'control/pki'),
  adminKubeconfig: join(state, 'control/admin.conf'),
} as const;

export function machineFolder(machine: Machine): string {
  return join(state, machine.name);
}

/** Where a machine's components log, as seen from outside it. */
export function logFolder(machine: Machine): string {
  return join(machineFolder(machine), machine.role === 'node' ? 'var/log' : 'log');
}

/** What the user of one checkout works with. */
export type CheckoutFolders = {
  readonly root: string;
  readonly cluster: string;
  readonly kubeconfig: string;
  readonly bin: string;
};

export function checkoutFolders(root: string): CheckoutFolders {
  const cluster = join(root, '.cluster');
  return { root, cluster, kubeconfig: join(cluster, 'kubeconfig'), bin: join(cluster, 'bin') };
}

/** Built binaries and base images, per user and outside every checkout, so that a fresh clone has them. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'podcap');
}
