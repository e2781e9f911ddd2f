import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { machineFolder, nodeNamed } from '../../cluster/layout.ts';
import { type PodFolder, parseFolderName } from '../../src/agent/storage/file-names.ts';
import { ifExists } from '../../src/base/fs-errors.ts';
import { until } from '../../src/base/until.ts';
import type { RunningPod } from './namespace-pods.ts';

/** A Pod whose captures are on its Node; it may have ended. */
export type PodOnNode = Pick<RunningPod, 'name' | 'uid' | 'node'>;

/** The folder of all captures of a Node, as seen from this machine. */
export function capturesRoot(node: string): string {
  return join(machineFolder(nodeNamed(node)), 'var/lib/podcap');
}

/** The folder of that Pod's captures, as seen from this machine; undefined if there is none. */
export async function captureFolder({
  uid,
  node,
}: Pick<PodOnNode, 'uid' | 'node'>): Promise<string | undefined> {
  return (await captureFolders(node)).find(({ pod }) => pod.uid === uid)?.path;
}

/** The folder of each Pod that a Node has captures of. */
export async function captureFolders(node: string): Promise<{ path: string; pod: PodFolder }[]> {
  const root = capturesRoot(node);
  const names = (await ifExists(readdir(root))) ?? [];
  return names.flatMap((name) => {
    const pod = parseFolderName(name);
    return pod ? [{ path: join(root, name), pod }] : [];
  });
}

/** Waits until that Pod has a folder, and returns it. */
export async function waitForCaptureFolder(pod: PodOnNode): Promise<string> {
  return await until(() => captureFolder(pod), { what: `the folder of ${pod.name}`, deadlineMs: 30_000 });
}

/** Waits until none of these Pods has a folder. */
export async function waitForFoldersDeleted(
  pods: readonly PodOnNode[],
  { deadlineMs = 10_000 } = {},
): Promise<void> {
  await until(async () => (await Promise.all(pods.map(captureFolder))).every((folder) => !folder), {
    what: `the folders of ${pods.map(({ name }) => name).join(', ')} to be deleted`,
    deadlineMs,
  });
}

/** Deletes what stays on a Node after the Pods of a namespace are gone. */
export async function removeCaptures(node: string, namespace: string): Promise<void> {
  const folders = (await captureFolders(node)).filter(({ pod }) => pod.namespace === namespace);
  // The agent writes the end of a Pod down a moment after the Pod is gone: a record can appear meanwhile.
  const options = { recursive: true, force: true, maxRetries: 20, retryDelay: 100 } as const;
  await Promise.all(folders.map(({ path }) => rm(path, options)));
}
