import { idle, type PodOptions } from './pod-manifests.ts';
import { type RunningPod, type TestCluster, untilFolder } from './test-cluster.ts';

export type CapturedPod = RunningPod & { readonly folder: string };

/** A Pod on node1 that does nothing by itself, and is being captured. */
export async function capturedPod(
  cluster: TestCluster,
  name: string,
  options: Pick<PodOptions, 'annotations' | 'spec'> = {},
): Promise<CapturedPod> {
  await cluster.create(idle({ name, node: 'node1', annotation: '5', ...options }));
  const pod = await cluster.running(name);
  await cluster.event(pod.uid, 'CaptureStarted');
  return { ...pod, folder: await untilFolder(pod) };
}
