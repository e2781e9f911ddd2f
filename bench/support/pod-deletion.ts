import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodes } from '../../cluster/layout.ts';
import type { RunningPod } from '../../end-to-end/support/namespace-pods.ts';
import { waitForCaptureFolder } from '../../end-to-end/support/node-captures.ts';
import { idle, receiverPort } from '../../end-to-end/support/pod-manifests.ts';
import { numbersIn } from '../../end-to-end/support/ring-contents.ts';
import { kubectl } from '../../end-to-end/support/run-kubectl.ts';
import type { TestCluster } from '../../end-to-end/support/test-cluster.ts';
import { readRecord } from '../../src/agent/storage/capture-records.ts';
import { until } from '../../src/base/until.ts';
import { startSender } from '../../src/testbed/datagrams.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { startWitness } from '../../src/testbed/witness.ts';
import { startPlainTcpdump } from './plain-tcpdump.ts';
import { podNetwork } from './pod-network.ts';

/** The numbers, in order, of the datagrams that passed a Pod's interface while the Pod was deleted. */
export type Deletion = {
  /** Those that passed the interface, seen by a second packet socket on it (src/testbed/witness.c). */
  readonly witnessed: readonly number[];
  /** How many datagrams the kernel accepted from the sender. */
  readonly sent: number;
  /** Those in Podcap's files. */
  readonly inFiles: readonly number[];
  /** Those in the file of a tcpdump without Podcap's preload library. */
  readonly inPlainFile: readonly number[];
};

/** What is sent on each Pod's interface. */
export const datagramsPerSecond = 2_000;

/** How long datagrams are sent before the Pods are deleted. */
const sendBeforeMs = 1_500;

type DeletionPods = {
  readonly names: readonly string[];
  /** The address of a receiver. */
  readonly to: string;
  /** Further options of kubectl delete. */
  readonly deleteOptions: readonly string[];
};

/**
 * Creates annotated Pods, half on each Node, and deletes them all at once while datagrams pass. The kubelet ends the
 * Pod's own processes before its network, so the sender is another process: it sends until the interface is gone.
 */
export async function deletePods(
  cluster: TestCluster,
  { names, to, deleteOptions }: DeletionPods,
): Promise<Deletion[]> {
  await using running = new AsyncDisposableStack();
  const pods = await Promise.all(names.map((name, i) => startPod(cluster, name, i)));
  const endings = await Promise.all(pods.map((pod) => startTraffic(running, pod, to)));
  await sleep(sendBeforeMs);
  await kubectl('-n', cluster.namespace, 'delete', 'pod', ...names, '--wait=true', ...deleteOptions);
  return await Promise.all(endings.map((ending) => ending()));
}

async function startPod(cluster: TestCluster, name: string, index: number): Promise<DeletedPod> {
  const node = nodes[index % nodes.length]?.name ?? '';
  const pod = await cluster.start(idle({ name, node, annotation: '100' }));
  const folder = await waitForCaptureFolder(pod);
  await until(async () => (await readRecord(folder, 1))?.interfacePackets !== undefined, {
    what: `${name} to be captured`,
    deadlineMs: 30_000,
  });
  return { pod, folder };
}

type DeletedPod = { readonly pod: RunningPod; readonly folder: string };

/** Returns a function to call once the Pod is deleted: it waits for all programs to end and returns what they have. */
async function startTraffic(
  running: AsyncDisposableStack,
  { pod, folder }: DeletedPod,
  to: string,
): Promise<() => Promise<Deletion>> {
  const inNetwork = await podNetwork(pod);
  const plainFolder = running.use(await temporaryFolder());
  const plain = running.use(await startPlainTcpdump(inNetwork, join(plainFolder.path, 'plain.pcap')));
  const witness = running.use(await startWitness(inNetwork, 'eth0', receiverPort));
  const sender = running.use(
    await startSender(inNetwork, { to, rate: datagramsPerSecond, port: receiverPort }),
  );

  return async () => {
    const { reason, sent } = await sender.ended;
    if (reason !== 'ENETUNREACH')
      throw new Error(`the sender ended before the interface was deleted: ${reason}`);
    const witnessed = await witness.ended;
    await until(async () => (await readRecord(folder, 1))?.endTime !== undefined, {
      what: `the end of the capture of ${pod.name}`,
    });
    return { witnessed, sent, inFiles: await numbersIn(folder), inPlainFile: await plain.numbers() };
  };
}
