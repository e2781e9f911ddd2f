import { expect } from 'vitest';
import { killComponent } from '../../cluster/component-control.ts';
import { nodes } from '../../cluster/layout.ts';
import { until } from '../../src/base/until.ts';
import { capturedPod } from '../support/captured-pod.ts';
import { test } from '../support/cluster-test.ts';
import { deleteAndCountRestarts, expectOneCapture } from '../support/datagram-counts.ts';
import { processesOf, tcpdumpsOf } from '../support/pod-processes.ts';
import { printFigures } from '../support/print-figures.ts';
import { digestsUpTo, newestGeneration, waitForDatagrams } from '../support/ring-contents.ts';
import { type SendingPod, sendingPod, sendingPods } from '../support/sending-pod.ts';

test('captures continue untouched when containerd is killed 20 times, and new Pods are captured', async ({
  cluster,
}) => {
  const pods = await sendingPods(cluster, { name: 'under' });
  const before = await Promise.all(pods.map(tcpdumpsOf));
  for (let round = 0; round < 10; round += 1) {
    await Promise.all(nodes.map((machine) => killComponent({ machine, name: 'containerd' })));
    await Promise.all(
      nodes.map(({ name: node }) => capturedPod(cluster, `after-${round}-${node}`, { node })),
    );
  }
  expect(await Promise.all(pods.map(tcpdumpsOf))).toEqual(before);
  await expectOneCapture(cluster, 'containerd killed', pods);
});

test('keeps every datagram in one capture when 20 containers are killed and restart in their sandbox', async ({
  cluster,
}) => {
  const names = ['a', 'b', 'c', 'd'].map((letter, i) => [`restarts-${letter}`, i % 2] as const);
  const pods = await Promise.all(
    names.map(([name, i]) => sendingPod(cluster, { name, node: nodes[i]?.name ?? '' })),
  );
  for (let round = 0; round < 5; round += 1) await Promise.all(pods.map(killContainer));
  for (const pod of pods) {
    const counts = await deleteAndCountRestarts(cluster, pod);
    printFigures(pod.name, counts);
    expect(counts).toMatchObject({ generations: 1, senderStarts: 6 });
    // At most what passed before the first capture is reported.
    expect(counts.captured + counts.reported).toBeGreaterThanOrEqual(counts.received);
    expect(counts.captured).toBeLessThanOrEqual(counts.received);
  }
});

test('captures the next sandbox in new files when 20 sandboxes are killed and created again under the same UID', async ({
  cluster,
}) => {
  const pods = await sendingPods(cluster, { name: 'sandboxed' });
  for (let round = 0; round < 10; round += 1) await Promise.all(pods.map(killSandbox));
  for (const pod of pods) {
    const counts = await deleteAndCountRestarts(cluster, pod);
    printFigures(pod.name, counts);
    expect(counts.generations).toBe(11);
    expect(counts.captured + counts.reported).toBeGreaterThanOrEqual(counts.received);
  }
});

/** Kills the sender, and waits until the next one has sent. */
async function killContainer({ uid, name, receiver }: SendingPod): Promise<void> {
  const [pid] = await processesOf(uid, 'node');
  if (pid === undefined) throw new Error(`${name} has no process`);
  process.kill(pid, 'SIGKILL');
  await until(async () => !(await processesOf(uid, 'node')).includes(pid), { what: `${name} to end` });
  const { count } = receiver.received();
  await until(() => receiver.received().count > count + 20, {
    what: `the next container of ${name}`,
    deadlineMs: 60_000,
  });
}

/** Kills the sandbox, and waits until some datagrams of the next one are captured. */
async function killSandbox(pod: SendingPod): Promise<void> {
  const newest = await newestGeneration(pod.folder);
  const [pid] = await processesOf(pod.uid, '/catatonit');
  if (pid === undefined) throw new Error(`${pod.name} has no sandbox`);
  process.kill(pid, 'SIGKILL');
  await until(async () => (await newestGeneration(pod.folder)) > newest, {
    what: `a capture of the next sandbox of ${pod.name}`,
    deadlineMs: 60_000,
  });
  const left = await digestsUpTo(pod.folder, newest);
  await waitForDatagrams(pod.folder, 20, { after: newest, deadlineMs: 60_000 });
  expect(await digestsUpTo(pod.folder, newest)).toEqual(left);
  expect(await tcpdumpsOf(pod)).toHaveLength(1);
}
