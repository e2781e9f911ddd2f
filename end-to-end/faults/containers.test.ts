import { afterAll, beforeAll, expect, test } from 'vitest';
import { killComponent } from '../../cluster/component-control.ts';
import { nodes } from '../../cluster/layout.ts';
import { until } from '../../src/testbed/until.ts';
import { capturedPod } from '../support/captured-pod.ts';
import { processesOf } from '../support/pod-processes.ts';
import { printFigures } from '../support/print-figures.ts';
import {
  digestsUpTo,
  endLives,
  endSending,
  lengthAfter,
  newestGeneration,
  type SendingPod,
  sendingPod,
} from '../support/sending-pod.ts';
import { type TestCluster, tcpdumpsOf, testCluster } from '../support/test-cluster.ts';

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await testCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

test('containerd is killed 20 times: captures go on untouched, and new Pods are captured after', async () => {
  const pods = await Promise.all(
    nodes.map(({ name: node }) => sendingPod(cluster, { name: `under-${node}`, node })),
  );
  const before = await Promise.all(pods.map(tcpdumpsOf));
  for (let round = 0; round < 10; round += 1) {
    await Promise.all(nodes.map((machine) => killComponent({ machine, name: 'containerd' })));
    await Promise.all(
      nodes.map(({ name: node }) =>
        capturedPod(cluster, `after-${round}-${node}`, { spec: { nodeName: node } }),
      ),
    );
  }
  expect(await Promise.all(pods.map(tcpdumpsOf))).toEqual(before);
  for (const pod of pods) {
    const account = await endSending(cluster, pod);
    printFigures(pod.name, account);
    expect(account.generations).toBe(1);
  }
});

test('20 containers are killed and start again in their sandbox: one capture, with every datagram of each life', async () => {
  const names = ['a', 'b', 'c', 'd'].map((letter, i) => [`restarts-${letter}`, i % 2] as const);
  const pods = await Promise.all(
    names.map(([name, i]) => sendingPod(cluster, { name, node: nodes[i]?.name ?? '' })),
  );
  for (let round = 0; round < 5; round += 1) await Promise.all(pods.map(killContainer));
  for (const pod of pods) {
    const account = await endLives(cluster, pod);
    printFigures(pod.name, account);
    expect(account).toMatchObject({ generations: 1, lives: 6 });
    // Told is at most what passed before the first capture.
    expect(account.captured + account.told).toBeGreaterThanOrEqual(account.heard);
    expect(account.captured).toBeLessThanOrEqual(account.heard);
  }
});

test('20 sandboxes are killed and made again under the same UID: the capture follows into the next, in new files', async () => {
  const pods = await Promise.all(
    nodes.map(({ name: node }) => sendingPod(cluster, { name: `sandboxed-${node}`, node })),
  );
  for (let round = 0; round < 10; round += 1) await Promise.all(pods.map(killSandbox));
  for (const pod of pods) {
    const account = await endLives(cluster, pod);
    printFigures(pod.name, account);
    expect(account.generations).toBe(11);
    expect(account.captured + account.told).toBeGreaterThanOrEqual(account.heard);
  }
});

/** Ends when the next has sent. */
async function killContainer({ uid, name, receiver }: SendingPod): Promise<void> {
  const [pid] = await processesOf(uid, 'node');
  if (pid === undefined) throw new Error(`${name} has no process`);
  process.kill(pid, 'SIGKILL');
  await until(async () => !(await processesOf(uid, 'node')).includes(pid), { what: `${name} to end` });
  const { count } = receiver.heard();
  await until(() => receiver.heard().count > count + 20, {
    what: `the next container of ${name}`,
    deadlineMs: 60_000,
  });
}

/** Ends when something of the next is captured. */
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
  await until(async () => (await lengthAfter(pod.folder, newest)) > 20, {
    what: `datagrams of the next sandbox of ${pod.name}`,
    deadlineMs: 60_000,
  });
  expect(await digestsUpTo(pod.folder, newest)).toEqual(left);
  expect(await tcpdumpsOf(pod)).toHaveLength(1);
}
