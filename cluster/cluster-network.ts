import { addresses, type ClusterNode, hostLink, type Machine, nodes } from './layout.ts';
import type { ProcessId } from './process-id.ts';
import { run, succeeds } from './run-command.ts';
import { until } from './until.ts';

/**
 * The control plane's network namespace holds a bridge; each Node and the root namespace have a veth into it.
 * The namespaces have no names: they end with their machines, and their links with them.
 */

const bridge = 'br0';

/** Gives the control plane its address, and the root namespace its one link. */
export async function plugControl(control: Machine, id: ProcessId): Promise<void> {
  await ip(id, 'link', 'set', 'lo', 'up');
  if (!(await hasLink(id, bridge))) await ip(id, 'link', 'add', bridge, 'type', 'bridge');
  // The address file that inside/boot.sh waits for comes last.
  await ip(id, 'link', 'set', bridge, 'address', hardwareAddress(control.address), 'up');
  if (!(await hasLink(id, 'host'))) {
    await hostIp('link', 'add', hostLink, 'type', 'veth', 'peer', 'name', 'host', 'netns', String(id.pid));
  }
  await ip(id, 'link', 'set', 'host', 'master', bridge, 'up');
  await hostIp('link', 'set', hostLink, 'addrgenmode', 'none', 'up');
  await hostIp('address', 'replace', `${addresses.host}/${addresses.prefixLength}`, 'dev', hostLink);
  await ip(id, 'address', 'replace', `${control.address}/${addresses.prefixLength}`, 'dev', bridge);
  // Webhooks and aggregated APIs: the API server calls Pods at their own addresses.
  for (const node of nodes) {
    await ip(id, 'route', 'replace', node.podCidr, 'via', node.address);
  }
}

/** Gives a Node its link into the control plane's bridge, its address, and the routes to the others' Pods. */
export async function plugNode(node: ClusterNode, id: ProcessId, controlId: ProcessId): Promise<void> {
  await ip(id, 'link', 'set', 'lo', 'up');
  if (!(await hasLink(id, 'eth0'))) {
    await removeLink(controlId, node.name);
    const peer = ['peer', 'name', 'eth0', 'address', hardwareAddress(node.address), 'netns', String(id.pid)];
    await ip(controlId, 'link', 'add', node.name, 'type', 'veth', ...peer);
  }
  await ip(controlId, 'link', 'set', node.name, 'master', bridge, 'up');
  await ip(id, 'link', 'set', 'eth0', 'up');
  await ip(id, 'address', 'replace', `${node.address}/${addresses.prefixLength}`, 'dev', 'eth0');
  for (const other of nodes.filter(({ name }) => name !== node.name)) {
    await ip(id, 'route', 'replace', other.podCidr, 'via', other.address);
  }
  // There is no default route, and the kernel wants some route before kube-proxy's rules see a packet.
  await ip(id, 'route', 'replace', addresses.services, 'dev', 'eth0', 'src', node.address);
}

/**
 * The link goes with the control plane's namespace, which the kernel takes down a moment after its last process.
 */
export async function unplugHost(): Promise<void> {
  await until(hostLinkGone, { what: `the link ${hostLink} to go`, deadlineMs: 3_000 }).catch(async () => {
    await hostIp('link', 'delete', hostLink);
  });
}

async function hostLinkGone(): Promise<true | undefined> {
  return (await succeeds('ip', ['link', 'show', hostLink])) ? undefined : true;
}

/** Made from the address, so that neighbours need not learn a new one when a machine comes back. */
export function hardwareAddress(address: string): string {
  const bytes = [0x02, 0x00, ...address.split('.').map(Number)];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

async function hasLink(id: ProcessId, name: string): Promise<boolean> {
  return await succeeds('nsenter', [...netns(id), 'ip', 'link', 'show', name]);
}

async function removeLink(id: ProcessId, name: string): Promise<void> {
  if (await hasLink(id, name)) await ip(id, 'link', 'delete', name);
}

async function ip(id: ProcessId, ...args: readonly string[]): Promise<void> {
  await run('nsenter', [...netns(id), 'ip', ...args]);
}

async function hostIp(...args: readonly string[]): Promise<void> {
  await run('ip', args);
}

function netns(id: ProcessId): string[] {
  return [`--net=/proc/${id.pid}/ns/net`, '--'];
}
