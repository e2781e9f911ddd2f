import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { staticPods } from '../cluster/node-files.ts';
import { until } from '../src/testbed/until.ts';
import { capturedPod } from './support/captured-pod.ts';
import { idle, receiver, sender } from './support/pod-manifests.ts';
import { nodeProcess } from './support/pod-processes.ts';
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

beforeAll(async () => {
  cluster = await testCluster();
  await cluster.create(receiver({ name: 'receiver', node: 'node2' }));
  target = await cluster.running('receiver');
});
afterAll(() => cluster[Symbol.asyncDispose]());

test('two Pods of one name in two namespaces have a folder each, with the datagrams of their own', async () => {
  await using otherNamespace = await testCluster();
  const [web, other] = await Promise.all([capturedPod(cluster, 'web'), capturedPod(otherNamespace, 'web')]);
  await Promise.all([
    cluster.send('web', { to: target.ip, first: 0, count: 50 }),
    otherNamespace.send('web', { to: target.ip, first: 1_000, count: 50 }),
  ]);
  expect(await untilLast(web.folder, 49)).toEqual(run(0, 50));
  expect(await untilLast(other.folder, 1_049)).toEqual(run(1_000, 50));

  await otherNamespace.annotate('web', null);
  await until(async () => (await captureFolder(other)) === undefined, { what: 'the other folder to go' });
  expect(await tcpdumpsOf(web)).toHaveLength(1);
  expect(await numbersIn(web.folder)).toEqual(run(0, 50));
});

test('a Pod that is created again under its name has a folder of its own, and that of the one before stays', async () => {
  const before = await capturedPod(cluster, 'again');
  await cluster.send('again', { to: target.ip, first: 0, count: 50 });
  await untilLast(before.folder, 49);
  await cluster.delete('again', '--grace-period=1');
  const after = await capturedPod(cluster, 'again');
  await cluster.send('again', { to: target.ip, first: 1_000, count: 50 });

  expect(await untilLast(after.folder, 1_049)).toEqual(run(1_000, 50));
  expect(after.folder).not.toBe(before.folder);
  expect(await captureFolder(before)).toBe(before.folder);
  expect(await numbersIn(before.folder)).toEqual(run(0, 50));
  expect(await tcpdumpsOf(before)).toEqual([]);
});

test('a Pod that succeeds: its last datagram is in the file, an Event says so, and its folder stays until the annotation goes', async () => {
  const count = 500;
  await cluster.create(
    sender({
      name: 'job',
      node: 'node1',
      to: target.ip,
      rate: 250,
      bytes: 100,
      count,
      exits: true,
      annotation: '5',
    }),
  );
  const job = await cluster.scheduled('job');
  const stopped = await cluster.event(job.uid, 'CaptureStopped');
  expect(stopped).toMatchObject({
    type: 'Normal',
    message: expect.stringMatching(
      /^the Pod ended, its capture files are kept for the retention time; .* dropped by kernel: 0, lost at stop: 0, /,
    ),
  });
  expect(await tcpdumpsOf(job)).toEqual([]);
  const numbers = await numbersIn(await untilFolder(job));
  expect(numbers).toEqual(run(numbers[0] ?? Number.NaN, numbers.length));
  expect(numbers.at(-1)).toBe(count - 1);
  // Created with the annotation: it was captured before its container started.
  expect(numbers[0]).toBe(0);

  await cluster.annotate('job', null);
  await until(async () => (await captureFolder(job)) === undefined, { what: 'its folder to go' });
});

test('a Pod with a user namespace of its own is captured', async () => {
  const { folder } = await capturedPod(cluster, 'remapped', { spec: { hostUsers: false } });
  // Otherwise the test would prove nothing: in the machine's own every id is itself.
  expect(await cluster.exec('remapped', 'cat', '/proc/self/uid_map')).not.toMatch(/^\s*0\s+0\s/);
  await cluster.send('remapped', { to: target.ip, count: 50 });
  expect(await untilLast(folder, 49)).toEqual(run(0, 50));
});

test('a static Pod is captured, and its folder stays when its manifest is gone', async () => {
  // Through the root of the Node's process 1: its /etc is its own.
  const manifests = join(`/proc/${nodeProcess('node1')}/root`, staticPods);
  const { metadata, ...pod } = idle({ name: 'still', annotation: '5' });
  const { namespace } = cluster;
  const manifest = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, namespace }, ...pod };
  // The kubelet passes over names that begin with a dot: it never sees half of a manifest.
  await writeFile(join(manifests, `.${namespace}.json`), JSON.stringify(manifest));
  await rename(join(manifests, `.${namespace}.json`), join(manifests, `${namespace}.json`));
  try {
    const still = await cluster.running('still-node1');
    await cluster.event(still.uid, 'CaptureStarted');
    const folder = await untilFolder(still);
    await cluster.send('still-node1', { to: target.ip, count: 50 });
    expect(await untilLast(folder, 49)).toEqual(run(0, 50));

    await rm(join(manifests, `${namespace}.json`));
    await cluster.event(still.uid, 'CaptureStopped');
    expect(await tcpdumpsOf(still)).toEqual([]);
    expect(await numbersIn(folder)).toEqual(run(0, 50));
  } finally {
    await rm(join(manifests, `${namespace}.json`), { force: true });
  }
});
