import { expect } from 'vitest';
import { agentSettings } from './support/agent-daemonset.ts';
import {
  type CapturedPod,
  capturedPod,
  expectCaptured,
  expectRefused,
  sendCaptured,
} from './support/captured-pod.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { range } from './support/consecutive.ts';
import type { HostReceiver } from './support/host-receiver.ts';
import { captureFolder, waitForFoldersDeleted } from './support/node-captures.ts';
import { idle } from './support/pod-manifests.ts';
import { tcpdumpsOf } from './support/pod-processes.ts';
import { numbersIn } from './support/ring-contents.ts';
import type { TestCluster } from './support/test-cluster.ts';

const test = clusterTest.extend('settings', { scope: 'file' }, async ({}, { onCleanup }) => {
  const settings = await agentSettings();
  onCleanup(() => settings[Symbol.asyncDispose]());
  return settings;
});

const few = { count: 50 };
/** About 2.5 MB. */
const megabytes = { count: 1_750, bytes: 1_400 };

test('deletes the folder of a deleted Pod after the retention time, and keeps that of a running Pod', async ({
  cluster,
  receiver,
  settings,
}) => {
  await settings.change('--retention-seconds=5');
  const [gone, stays] = [
    await podWithDatagrams(cluster, 'gone', { receiver, ...few }),
    await podWithDatagrams(cluster, 'stays', { receiver, ...few }),
  ];
  await cluster.delete('gone', '--grace-period=1');
  await cluster.event(gone.uid, 'CaptureStopped');
  expect(await numbersIn(gone.folder)).toEqual(range(0, 50));
  await waitForFoldersDeleted([gone], { deadlineMs: 30_000 });
  expect(await numbersIn(stays.folder)).toEqual(range(0, 50));
  expect(await tcpdumpsOf(stays)).toHaveLength(1);
  await cluster.annotate('stays', null);
});

test('deletes the rings of deleted Pods, oldest first, for a new capture, and refuses one that does not fit even then', async ({
  cluster,
  receiver,
  settings,
}) => {
  // A ring of 5 files may take 7.57 MB: two fit, and one of those that have ended and have 2.5 MB.
  await settings.change('--disk-budget-megabytes=18');
  const [older, newer] = [
    await podWithDatagrams(cluster, 'older', { receiver, ...megabytes }),
    await podWithDatagrams(cluster, 'newer', { receiver, ...megabytes }),
  ];
  for (const { name, uid } of [older, newer]) {
    await cluster.delete(name, '--grace-period=1');
    await cluster.event(uid, 'CaptureStopped');
  }
  const first = await podWithDatagrams(cluster, 'first', { receiver, ...few });
  expect(await captureFolder(older)).toBe(older.folder);
  const second = await podWithDatagrams(cluster, 'second', { receiver, ...few });
  // Sizes are measured every 30 s.
  await waitForFoldersDeleted([older], { deadlineMs: 60_000 });

  const third = await cluster.start(idle({ name: 'third', node: 'node1', annotation: '5' }));
  await expectRefused(cluster, third, {
    reason: 'OverBudget',
    message:
      'the capture may use 8 MB, and other captures leave less of the 18 MB that all captures on this Node together may use: it starts when enough of them have ended; fewer or smaller files may fit now',
  });
  for (const { folder } of [first, second]) expect(await numbersIn(folder)).toEqual(range(0, 50));
  // No files are deleted for a capture that would not fit even so.
  expect(await numbersIn(newer.folder)).toEqual(range(0, 1_750));

  // It starts when another one ends.
  await cluster.annotate('first', null);
  await expectCaptured(cluster, third, { receiver });
});

test('captures nothing while less of the disk is free than the minimum', async ({
  cluster,
  receiver,
  settings,
}) => {
  await settings.change('--min-free-disk-percent=90');
  const waiting = await cluster.start(idle({ name: 'waiting', node: 'node1', annotation: '5' }));
  await expectRefused(cluster, waiting, {
    reason: 'DiskAlmostFull',
    message:
      "the capture may use another 8 MB, but 90 % of the Node's disk must stay free: it starts when there is enough free space; fewer or smaller files may fit now",
  });
  await settings.change();
  await expectCaptured(cluster, waiting, { receiver });
});

async function podWithDatagrams(
  cluster: TestCluster,
  name: string,
  datagrams: { readonly receiver: HostReceiver; readonly count: number; readonly bytes?: number },
): Promise<CapturedPod> {
  const pod = await capturedPod(cluster, name);
  expect(await sendCaptured(cluster, pod, datagrams)).toEqual(range(0, datagrams.count));
  return pod;
}
