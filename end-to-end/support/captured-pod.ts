import { expect } from 'vitest';
import { range } from './consecutive.ts';
import type { HostReceiver } from './host-receiver.ts';
import type { RunningPod } from './namespace-pods.ts';
import { waitForCaptureFolder } from './node-captures.ts';
import { idle, type PodOptions } from './pod-manifests.ts';
import { tcpdumpsOf } from './pod-processes.ts';
import { waitForLastDatagram } from './ring-contents.ts';
import type { TestCluster } from './test-cluster.ts';

/** A Pod and the folder of its captures, as seen from this machine. */
export type CapturedPod = RunningPod & { readonly folder: string };

/** A captured Pod that does nothing by itself; on node1 unless a Node is named. */
export async function capturedPod(
  cluster: TestCluster,
  name: string,
  options: Pick<PodOptions, 'node' | 'annotations' | 'spec'> = {},
): Promise<CapturedPod> {
  const pod = await cluster.start(idle({ name, node: 'node1', annotation: '5', ...options }));
  await cluster.event(pod.uid, 'CaptureStarted');
  return { ...pod, folder: await waitForCaptureFolder(pod) };
}

type Datagrams = { readonly first?: number; readonly count?: number; readonly bytes?: number };

/** Sends datagrams from a captured Pod. Returns the numbers of all in its files, once the last one is among them. */
export async function sendCaptured(
  cluster: TestCluster,
  { name, folder }: Pick<CapturedPod, 'name' | 'folder'>,
  { receiver, first = 0, count = 50, ...options }: Datagrams & { readonly receiver: HostReceiver },
): Promise<number[]> {
  await cluster.send(name, { to: receiver.address, port: receiver.port, first, count, ...options });
  return await waitForLastDatagram(folder, first + count - 1);
}

/** Expects a Warning with that reason and message, and that nothing captures the Pod. */
export async function expectRefused(
  cluster: TestCluster,
  pod: RunningPod,
  { reason, message }: { readonly reason: string; readonly message: unknown },
): Promise<void> {
  expect(await cluster.event(pod.uid, reason)).toMatchObject({ type: 'Warning', message });
  expect(await tcpdumpsOf(pod)).toEqual([]);
}

/** Expects that the capture of a Pod that was refused starts, and that it has exactly what the Pod sends then. */
export async function expectCaptured(
  cluster: TestCluster,
  pod: RunningPod,
  { receiver, message = '' }: { readonly receiver: HostReceiver; readonly message?: string },
): Promise<void> {
  await cluster.event(pod.uid, 'CaptureStarted', message);
  const folder = await waitForCaptureFolder(pod);
  expect(await sendCaptured(cluster, { ...pod, folder }, { receiver })).toEqual(range(0, 50));
}
