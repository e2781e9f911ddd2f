import type { RunningPod } from '../../end-to-end/support/namespace-pods.ts';
import { idle } from '../../end-to-end/support/pod-manifests.ts';
import type { TestCluster } from '../../end-to-end/support/test-cluster.ts';

/** Creates Pods that do nothing on that Node, numbered from `from` up to but excluding `to`; returns when all run. */
export async function idlePods(
  cluster: TestCluster,
  { node, from, to }: { readonly node: string; readonly from: number; readonly to: number },
): Promise<RunningPod[]> {
  const names = Array.from({ length: to - from }, (_, i) => `idle-${from + i}`);
  await Promise.all(names.map((name) => cluster.create(idle({ name, node }))));
  const running: RunningPod[] = [];
  // One after the other, because each wait polls the API server.
  for (const name of names) running.push(await cluster.running(name));
  return running;
}
