import { homedir } from 'node:os';
import { join } from 'node:path';

/** A "computer" of the cluster: a set of Linux namespaces with its own pid 1. */
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
 * Every address of the cluster. The machines' network is part of 198.18.0.0/15, which RFC 2544 reserves for benchmarks:
 * no LAN uses it, so the only route that the root namespace gets hides no other.
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

/** Each has a /22: 1,021 Pods fit, and the kubelet's maxPods is 250. */
export const nodes: readonly ClusterNode[] = [
  { name: 'node1', role: 'node', address: '198.18.213.11', podCidr: '10.244.0.0/22' },
  { name: 'node2', role: 'node', address: '198.18.213.12', podCidr: '10.244.4.0/22' },
];

export const machines: readonly Machine[] = [control, ...nodes];

/**
 * Returns the Node with this name.
 *
 * @throws Error if there is none.
 */
export function nodeNamed(name: string): ClusterNode {
  const node = nodes.find((candidate) => candidate.name === name);
  if (!node) throw new Error(`the cluster has no Node ${name}`);
  return node;
}

export const apiServer = `https://${addresses.control}:6443`;

/** The only link of the cluster in the root network namespace. */
export const hostLink = 'podcap0';

/** The parent of all cgroups of the cluster, in every hierarchy: whatever is in it belongs to the cluster. */
export const cgroupName = 'podcap-cluster';

const state = '/var/lib/podcap-cluster';

/** What the cluster keeps outside the checkout while it exists; `down` deletes it last. */
export const stateFolders = {
  root: state,
  owner: join(state, 'owner.json'),
  bin: join(state, 'bin'),
  inside: join(state, 'inside'),
  pki: join(state, 'control/pki'),
  adminKubeconfig: join(state, 'control/admin.conf'),
} as const;

/** The machine's own files, as a path on the host. */
export function machineFolder(machine: Machine): string {
  return join(state, machine.name);
}

/** Where a machine's components write their logs, as a path on the host. */
export function logFolder(machine: Machine): string {
  return join(machineFolder(machine), machine.role === 'node' ? 'var/log' : 'log');
}

/** What the user of a checkout works with: .cluster/ in it, with a kubeconfig and programs. */
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

/** The cache of binaries and base images: one for each user, outside every checkout, so that a fresh clone has them. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'podcap');
}
