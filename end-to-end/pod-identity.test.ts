import { expect } from 'vitest';
import { capturedPod, expectCaptured, sendCaptured } from './support/captured-pod.ts';
import { test } from './support/cluster-test.ts';
import { expectConsecutive, range } from './support/consecutive.ts';
import { captureFolder, waitForCaptureFolder, waitForFoldersDeleted } from './support/node-captures.ts';
import { idle, sender } from './support/pod-manifests.ts';
import { tcpdumpsOf } from './support/pod-processes.ts';
import { numbersIn } from './support/ring-contents.ts';
import { staticPod } from './support/static-pod.ts';
import { testCluster } from './support/test-cluster.ts';

test('gives two Pods with the same name in two namespaces a folder each, with its own datagrams', async ({
  cluster,
  receiver,
}) => {
  await using otherNamespace = await testCluster();
  const [web, other] = await Promise.all([capturedPod(cluster, 'web'), capturedPod(otherNamespace, 'web')]);
  const [numbers, otherNumbers] = await Promise.all([
    sendCaptured(cluster, web, { receiver }),
    sendCaptured(otherNamespace, other, { receiver, first: 1_000 }),
  ]);
  expect(numbers).toEqual(range(0, 50));
  expect(otherNumbers).toEqual(range(1_000, 50));

  await otherNamespace.annotate('web', null);
  await waitForFoldersDeleted([other]);
  expect(await tcpdumpsOf(web)).toHaveLength(1);
  expect(await numbersIn(web.folder)).toEqual(range(0, 50));
});

test('gives a Pod that is created again under its name a new folder, and keeps the one before', async ({
  cluster,
  receiver,
}) => {
  const before = await capturedPod(cluster, 'again');
  await sendCaptured(cluster, before, { receiver });
  await cluster.delete('again', '--grace-period=1');
  const after = await capturedPod(cluster, 'again');
  expect(await sendCaptured(cluster, after, { receiver, first: 1_000 })).toEqual(range(1_000, 50));

  expect(after.folder).not.toBe(before.folder);
  expect(await captureFolder(before)).toBe(before.folder);
  expect(await numbersIn(before.folder)).toEqual(range(0, 50));
  expect(await tcpdumpsOf(before)).toEqual([]);
});

test('keeps the files of a Pod that succeeds, up to its last datagram, until the annotation is removed', async ({
  cluster,
  receiver,
}) => {
  const { address: to, port } = receiver;
  const count = 500;
  const options = { to, port, rate: 250, bytes: 100, count, exits: true };
  await cluster.create(sender({ name: 'job', node: 'node1', annotation: '5', ...options }));
  const job = await cluster.scheduled('job');
  const stopped = await cluster.event(job.uid, 'CaptureStopped');
  expect(stopped).toMatchObject({
    type: 'Normal',
    message: expect.stringMatching(
      /^the Pod ended, its capture files are kept for the retention time; .* dropped by kernel: 0, lost at stop: 0, /,
    ),
  });
  expect(await tcpdumpsOf(job)).toEqual([]);
  const { first, last } = expectConsecutive(await numbersIn(await waitForCaptureFolder(job)));
  expect(last).toBe(count - 1);
  // Created with the annotation: it was captured before its container started.
  expect(first).toBe(0);

  await cluster.annotate('job', null);
  await waitForFoldersDeleted([job]);
});

test('captures a Pod with its own user namespace', async ({ cluster, receiver }) => {
  const remapped = await capturedPod(cluster, 'remapped', { spec: { hostUsers: false } });
  // Otherwise the test would prove nothing: in the machine's own namespace each ID is mapped to itself.
  expect(await cluster.exec('remapped', 'cat', '/proc/self/uid_map')).not.toMatch(/^\s*0\s+0\s/);
  expect(await sendCaptured(cluster, remapped, { receiver })).toEqual(range(0, 50));
});

test('captures a static Pod, and keeps its files when its manifest is removed', async ({
  cluster,
  receiver,
}) => {
  await using manifest = await staticPod(idle({ name: 'still', annotation: '5' }), {
    namespace: cluster.namespace,
    node: 'node1',
  });
  const still = await cluster.running(manifest.name);
  await expectCaptured(cluster, still, { receiver });
  const folder = await waitForCaptureFolder(still);

  await manifest.remove();
  await cluster.event(still.uid, 'CaptureStopped');
  expect(await tcpdumpsOf(still)).toEqual([]);
  expect(await numbersIn(folder)).toEqual(range(0, 50));
});
