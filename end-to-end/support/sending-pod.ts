import { nodes } from '../../cluster/layout.ts';
import { type HostReceiver, hostReceiver } from './host-receiver.ts';
import type { RunningPod } from './namespace-pods.ts';
import { waitForCaptureFolder } from './node-captures.ts';
import { sender } from './pod-manifests.ts';
import { waitForDatagrams } from './ring-contents.ts';
import type { TestCluster } from './test-cluster.ts';

/** A captured Pod that sends numbered datagrams to this machine until its network is gone. */
export type SendingPod = RunningPod & { readonly folder: string; readonly receiver: HostReceiver };

type SendingPodOptions = {
  readonly name: string;
  readonly node: string;
  /** Datagrams per second. */
  readonly rate?: number;
  /** Payload bytes of each. */
  readonly bytes?: number;
  /** The number of datagrams, after which it falls silent; unlimited if absent. */
  readonly count?: number;
  /** How many capture files are kept. */
  readonly files?: number;
};

/** Starts the Pod, and waits until some of its datagrams are in a file. */
export async function sendingPod(
  cluster: TestCluster,
  { name, node, rate = 200, bytes = 200, files = 100, ...options }: SendingPodOptions,
): Promise<SendingPod> {
  const receiver = await hostReceiver();
  const { address: to, port } = receiver;
  const pod = await cluster.start(
    sender({ name, node, to, port, rate, bytes, annotation: String(files), ...options }),
  );
  await cluster.event(pod.uid, 'CaptureStarted');
  const folder = await waitForCaptureFolder(pod);
  // A fault before the kernel has retired the first block would leave a capture without a datagram.
  await waitForDatagrams(folder, 20);
  return { ...pod, folder, receiver };
}

/** Starts `perNode` of them on each Node, named after it. */
export async function sendingPods(
  cluster: TestCluster,
  { name, perNode = 1, rate }: { readonly name: string; readonly perNode?: number; readonly rate?: number },
): Promise<SendingPod[]> {
  const all = nodes.flatMap(({ name: node }) =>
    Array.from({ length: perNode }, (_, i) =>
      sendingPod(cluster, {
        name: perNode === 1 ? `${name}-${node}` : `${name}-${node}-${i}`,
        node,
        ...(rate !== undefined && { rate }),
      }),
    ),
  );
  return await Promise.all(all);
}

/** Deletes the Pod unless it is gone already, waits for the end of its capture, and closes its receiver. */
export async function deleteSendingPod(
  cluster: TestCluster,
  { name, uid, receiver }: Pick<SendingPod, 'name' | 'uid' | 'receiver'>,
): Promise<void> {
  await cluster.delete(name, '--grace-period=1', '--ignore-not-found');
  await cluster.event(uid, 'CaptureStopped', 'the Pod ended');
  await receiver[Symbol.asyncDispose]();
}
