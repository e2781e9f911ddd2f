import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { staticPods } from '../../cluster/node-files.ts';
import type { PodManifest } from './pod-manifests.ts';
import { nodeProcess } from './pod-processes.ts';

/** A static Pod of a Node: the kubelet runs it while its manifest is on the Node. Disposing removes the manifest. */
export type StaticPod = AsyncDisposable & {
  /** The name of its mirror Pod. */
  readonly name: string;
  readonly remove: () => Promise<void>;
};

/** Writes the manifest; the mirror Pod appears a moment later. */
export async function staticPod(
  { metadata, ...pod }: PodManifest,
  { namespace, node }: { readonly namespace: string; readonly node: string },
): Promise<StaticPod> {
  // Through the root of the Node's process 1, whose /etc is its own.
  const folder = join(`/proc/${nodeProcess(node)}/root`, staticPods);
  const file = join(folder, `${namespace}.json`);
  const hidden = join(folder, `.${namespace}.json`);
  const manifest = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, namespace }, ...pod };
  // The kubelet ignores names that start with a dot: it never sees half of a manifest.
  await writeFile(hidden, JSON.stringify(manifest));
  await rename(hidden, file);
  const remove = () => rm(file, { force: true });
  return { name: `${metadata.name}-${node}`, remove, [Symbol.asyncDispose]: remove };
}
