import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { nodes } from '../../cluster/layout.ts';
import { idle, receiverPort } from '../../end-to-end/support/pod-manifests.ts';
import {
  captureFolder,
  kubectl,
  numbersIn,
  type RunningPod,
  type TestCluster,
} from '../../end-to-end/support/test-cluster.ts';
import { readRecord } from '../../src/agent/storage/capture-records.ts';
import { startSender } from '../../src/testbed/datagrams.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { until } from '../../src/testbed/until.ts';
import { startWitness } from '../../src/testbed/witness.ts';
import { startPlainTcpdump } from './plain-tcpdump.ts';
import { podNetwork } from './pod-network.ts';

/** The datagrams of one Pod that was deleted while its interface carried them: their numbers, in order. */
export type Deletion = {
  /** What the interface carried, as a witness heard it (src/testbed/witness.c). */
  readonly carried: readonly number[];
  /** How many the sender had handed to the kernel. */
  readonly sent: number;
  /** What is in Podcap's files. */
  readonly inFiles: readonly number[];
  /** What a tcpdump without Podcap's library has in its file. */
  readonly inPlainFile: readonly number[];
};

/** Datagrams per second on each Pod's interface. */
export const rate = 2_000;

/** How long they are sent before the Pods are deleted. */
const beforeMs = 1_500;

type DeletionPods = {
  readonly names: readonly string[];
  /** The address of a receiver. */
  readonly to: string;
  /** More options of kubectl delete. */
  readonly how: readonly string[];
};

/**
 * Creates annotated Pods, half on each Node, and deletes them all at once while datagrams pass. The sender is none of
 * the Pod's processes: those the kubelet ends before the network, this one goes on until the interface is gone.
 */
export async function deletePods(
  cluster: TestCluster,
  { names, to, how }: DeletionPods,
): Promise<Deletion[]> {
  await using busy = new AsyncDisposableStack();
  const pods = await Promise.all(names.map((name, i) => startPod(cluster, name, i)));
  const watched = await Promise.all(pods.map((pod) => startTraffic(busy, pod, to)));
  await setTimeout(beforeMs);
  await kubectl('-n', cluster.namespace, 'delete', 'pod', ...names, '--wait=true', ...how);
  return await Promise.all(watched.map((ending) => ending()));
}

async function startPod(cluster: TestCluster, name: string, position: number): Promise<DeletedPod> {
  const node = nodes[position % nodes.length]?.name ?? '';
  await cluster.create(idle({ name, node, annotation: '100' }));
  const pod = await cluster.running(name);
  const folder = await until(() => captureFolder(pod), { what: `the folder of ${name}` });
  await until(async () => (await readRecord(folder, 1))?.interfacePackets !== undefined, {
    what: `${name} to be captured`,
    deadlineMs: 30_000,
  });
  return { pod, folder };
}

type DeletedPod = { readonly pod: RunningPod; readonly folder: string };

/** Gives back what to call when the Pod is deleted: it waits until all have ended, and compares nothing yet. */
async function startTraffic(
  busy: AsyncDisposableStack,
  { pod, folder }: DeletedPod,
  to: string,
): Promise<() => Promise<Deletion>> {
  const inNetwork = await podNetwork(pod);
  const plainFolder = busy.use(await temporaryFolder());
  const plain = busy.use(await startPlainTcpdump(inNetwork, join(plainFolder.path, 'plain.pcap')));
  const witness = busy.use(await startWitness(inNetwork, 'eth0', receiverPort));
  const sending = busy.use(await startSender(inNetwork, { to, rate, port: receiverPort }));

  return async () => {
    const { reason, sent } = await sending.ended;
    if (reason !== 'ENETUNREACH') throw new Error(`the sender ended before the interface: ${reason}`);
    const carried = await witness.ended;
    await until(async () => (await readRecord(folder, 1))?.endTime !== undefined, {
      what: `the end of the capture of ${pod.name}`,
    });
    return { carried, sent, inFiles: await numbersIn(folder), inPlainFile: await plain.numbers() };
  };
}
