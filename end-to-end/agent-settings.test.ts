import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../src/testbed/until.ts';
import { agentSettings } from './support/agent-daemonset.ts';
import { type CapturedPod, capturedPod } from './support/captured-pod.ts';
import { idle, receiver } from './support/pod-manifests.ts';
import {
  captureFolder,
  numbersIn,
  type RunningPod,
  run,
  type TestCluster,
  tcpdumpsOf,
  testCluster,
  untilFolder,
  untilLast,
} from './support/test-cluster.ts';

let cluster: TestCluster;
let target: RunningPod;
let settings: Awaited<ReturnType<typeof agentSettings>>;

beforeAll(async () => {
  cluster = await testCluster();
  settings = await agentSettings();
  await cluster.create(receiver({ name: 'receiver', node: 'node2' }));
  target = await cluster.running('receiver');
});
afterAll(async () => {
  await settings[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

test('when the retention time is over the folder of a deleted Pod goes, and that of a running one stays', async () => {
  await settings.change('--retention-seconds=5');
  const [gone, stays] = [await withDatagrams('gone'), await withDatagrams('stays')];
  await cluster.delete('gone', '--grace-period=1');
  await cluster.event(gone.uid, 'CaptureStopped');
  expect(await numbersIn(gone.folder)).toEqual(run(0, 50));
  await until(async () => (await captureFolder(gone)) === undefined, {
    what: 'its folder to go',
    deadlineMs: 30_000,
  });
  expect(await numbersIn(stays.folder)).toEqual(run(0, 50));
  expect(await tcpdumpsOf(stays)).toHaveLength(1);
  await cluster.annotate('stays', null);
});

test('the rings of deleted Pods go, oldest first, when a new capture needs their room; one that fits nowhere is refused', async () => {
  // A ring of 5 files may take 6.42 MB: two fit, and one of those that have ended and have 2.5 MB.
  await settings.change('--disk-budget-megabytes=16');
  const [older, newer] = [await withMegabytes('older'), await withMegabytes('newer')];
  for (const { name, uid } of [older, newer]) {
    await cluster.delete(name, '--grace-period=1');
    await cluster.event(uid, 'CaptureStopped');
  }
  const first = await withDatagrams('first');
  expect(await captureFolder(older)).toBe(older.folder);
  const second = await withDatagrams('second');
  await until(async () => (await captureFolder(older)) === undefined, {
    what: 'the oldest ring to go',
    // Sizes are looked at every 10 s.
    deadlineMs: 30_000,
  });

  await cluster.create(idle({ name: 'third', node: 'node1', annotation: '5' }));
  const third = await cluster.running('third');
  const refused = await cluster.event(third.uid, 'OverBudget');
  expect(refused).toMatchObject({
    type: 'Warning',
    message:
      'the capture may use 7 MB, but all captures on this Node together may use 16 MB: ask for fewer files, or wait until other captures end',
  });
  expect(await tcpdumpsOf(third)).toEqual([]);
  for (const { folder } of [first, second]) expect(await numbersIn(folder)).toEqual(run(0, 50));
  // Nothing goes for a capture that would not fit even so.
  expect(await numbersIn(newer.folder)).toEqual(run(0, 1_750));

  // It starts when another one ends.
  await cluster.annotate('first', null);
  await cluster.event(third.uid, 'CaptureStarted');
  await cluster.send('third', { to: target.ip, count: 50 });
  expect(await untilLast(await untilFolder(third), 49)).toEqual(run(0, 50));
});

test('while the disk has less available than the share that stays free, nothing is captured', async () => {
  await settings.change('--min-free-disk-percent=90');
  await cluster.create(idle({ name: 'no-room', node: 'node1', annotation: '5' }));
  const noRoom = await cluster.running('no-room');
  expect(await cluster.event(noRoom.uid, 'DiskAlmostFull')).toMatchObject({
    type: 'Warning',
    message:
      "the capture may use another 7 MB, but 90 % of the Node's disk must stay free: it starts when there is enough free space",
  });
  expect(await tcpdumpsOf(noRoom)).toEqual([]);

  await settings.change();
  await cluster.event(noRoom.uid, 'CaptureStarted');
  await cluster.send('no-room', { to: target.ip, count: 50 });
  expect(await untilLast(await untilFolder(noRoom), 49)).toEqual(run(0, 50));
});

async function withDatagrams(name: string): Promise<CapturedPod> {
  return await sent(name, 50, 100);
}

/** About 2.5 MB. */
async function withMegabytes(name: string): Promise<CapturedPod> {
  return await sent(name, 1_750, 1_400);
}

async function sent(name: string, count: number, bytes: number): Promise<CapturedPod> {
  const pod = await capturedPod(cluster, name);
  await cluster.send(name, { to: target.ip, count, bytes });
  expect(await untilLast(pod.folder, count - 1)).toEqual(run(0, count));
  return pod;
}
