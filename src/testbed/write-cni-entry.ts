import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One entry of the CNI cache, by which a Pod's network is found (libcni/api.go, cachedInfo). */
export type WrittenCniEntry = {
  readonly folder: string;
  readonly podUid: string;
  readonly podName?: string;
  readonly sandboxId: string;
  /** Path of the network namespace on the Node. */
  readonly netns: string;
  readonly interface?: string;
  readonly network?: string;
};

/** Writes the entry as libcni does when a Pod's network is set up. */
export async function writeCniEntry(entry: WrittenCniEntry): Promise<void> {
  await writeFile(entryPath(entry), cniEntryText(entry));
}

/** Deletes the entry as libcni does when a Pod's network is torn down. */
export async function removeCniEntry(entry: WrittenCniEntry): Promise<void> {
  await rm(entryPath(entry));
}

/** The content of the entry. */
export function cniEntryText({
  podUid,
  podName = 'web',
  sandboxId,
  netns,
  interface: name = 'eth0',
  network = 'cbr0',
}: WrittenCniEntry): string {
  return JSON.stringify({
    kind: 'cniCacheV1',
    containerId: sandboxId,
    config: Buffer.from(
      JSON.stringify({ cniVersion: '1.0.0', name: network, plugins: [{ type: 'bridge' }] }),
    ).toString('base64'),
    ifName: name,
    networkName: network,
    netns,
    cniArgs: [
      ['K8S_POD_NAMESPACE', 'default'],
      ['K8S_POD_NAME', podName],
      ['K8S_POD_INFRA_CONTAINER_ID', sandboxId],
      ['K8S_POD_UID', podUid],
    ],
    capabilityArgs: { dns: {} },
    result: {
      cniVersion: '1.0.0',
      interfaces: [{ name, sandbox: netns }],
      ips: [{ address: '10.244.0.5/24' }],
    },
  });
}

/** The path of the entry. */
export function entryPath({
  folder,
  network = 'cbr0',
  sandboxId,
  interface: name = 'eth0',
}: WrittenCniEntry): string {
  return join(folder, `${network}-${sandboxId}-${name}`);
}
