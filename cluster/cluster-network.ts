import { until } from '../src/base/until.ts';
import { addresses, type ClusterNode, hostLink, type Machine, nodes } from './layout.ts';
import type { ProcessId } from './process-id.ts';
import { runCommand, succeeds } from './run-command.ts';

/**
 * The control plane's network namespace has a bridge. A veth pair connects it with each Node and with the root
 * namespace. The namespaces have no names: they end with their machines, and their links end with them.
 */

const bridge = 'br0';

/** Creates the bridge, gives the control plane its address, and the root namespace its only link. */
export async function plugControl(control: Machine, id: ProcessId): Promise<void> {
  await ip(id, 'link', 'set', 'lo', 'up');
  if (!(await hasLink(id, bridge))) await ip(id, 'link', 'add', bridge, 'type', 'bridge');
  // inside/boot.sh waits for the address, so the address is added last.
  await ip(id, 'link', 'set', bridge, 'address', hardwareAddress(control.address), 'up');
  if (!(await hasLink(id, 'host'))) {
    await hostIp('link', 'add', hostLink, 'type', 'veth', 'peer', 'name', 'host', 'netns', String(id.pid));
  }
  await ip(id, 'link', 'set', 'host', 'master', bridge, 'up');
  await hostIp('link', 'set', hostLink, 'addrgenmode', 'none', 'up');
  await hostIp('address', 'replace', `${addresses.host}/${addresses.prefixLength}`, 'dev', hostLink);
  await ip(id, 'address', 'replace', `${control.address}/${addresses.prefixLength}`, 'dev', bridge);
  // For webhooks and aggregated APIs, the API server connects to Pods by their own addresses.
  for (const node of nodes) {
    await ip(id, 'route', 'replace', node.podCidr, 'via', node.address);
  }
}

/** Connects a Node to the control plane's bridge: its link, its address, and the routes to the other Nodes' Pods. */
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
  // There is no default route, and the kernel needs a route to an address before kube-proxy's rules see the packet.
  await ip(id, 'route', 'replace', addresses.services, 'dev', 'eth0', 'src', node.address);
}

/**
 * Waits until the root namespace's link is gone, and deletes it if that takes too long. The link ends with the control
 * plane's network namespace, which the kernel removes shortly after the last process in it.
 */
export async function unplugHost(): Promise<void> {
  await until(hostLinkGone, { what: `the link ${hostLink} to go`, deadlineMs: 3_000, everyMs: 50 }).catch(
    async () => {
      await hostIp('link', 'delete', hostLink);
    },
  );
}

async function hostLinkGone(): Promise<boolean> {
  return !(await succeeds('ip', ['link', 'show', hostLink]));
}

/** Derived from the IP address: a machine that starts again has the same one, so neighbours need not relearn it. */
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
  await runCommand('nsenter', [...netns(id), 'ip', ...args]);
}

async function hostIp(...args: readonly string[]): Promise<void> {
  await runCommand('ip', args);
}

function netns(id: ProcessId): string[] {
  return [`--net=/proc/${id.pid}/ns/net`, '--'];
}
