import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a CNI plugin leaves of one Pod's network, in the words of libcni (libcni/api.go, cachedInfo). */
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

export async function writeCniEntry(entry: WrittenCniEntry): Promise<void> {
  await writeFile(entryPath(entry), cniEntryText(entry));
}

export async function removeCniEntry(entry: WrittenCniEntry): Promise<void> {
  await rm(entryPath(entry));
}

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

export function entryPath({
  folder,
  network = 'cbr0',
  sandboxId,
  interface: name = 'eth0',
}: WrittenCniEntry): string {
  return join(folder, `${network}-${sandboxId}-${name}`);
}
