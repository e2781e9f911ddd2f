import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { killComponent, startComponent, stopComponent } from '../../cluster/component-control.ts';
import { nodeNamed, nodes } from '../../cluster/layout.ts';
import { cutPower } from '../../cluster/machine.ts';
import { run as execute } from '../../src/testbed/run-program.ts';
import { until } from '../../src/testbed/until.ts';
import { agentProcess, startedMs } from '../support/agent-usage.ts';
import { printFigures } from '../support/print-figures.ts';
import {
  accountOfLives,
  digestsUpTo,
  endLives,
  endSending,
  firstPacketAfter,
  lengthAfter,
  newestGeneration,
  sendingPod,
} from '../support/sending-pod.ts';
import { kubectl, type TestCluster, tcpdumpsOf, testCluster } from '../support/test-cluster.ts';

/** Of each Node. */
const powerCuts = 10;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await testCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

test('a Node is drained 5 times: the last datagram of its Pod is in the file, which stays, and its agent goes on', async () => {
  const agent = await agentProcess(cluster, 'node1');
  for (let round = 0; round < 5; round += 1) {
    const pod = await sendingPod(cluster, { name: `drained-${round}`, node: 'node1' });
    await until(() => pod.receiver.heard().count > 20, { what: 'datagrams' });
    try {
      const flags = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', '--grace-period=1'];
      await kubectl('drain', 'node1', ...flags, '--timeout=60s');
      const account = await endSending(cluster, pod);
      printFigures(pod.name, account);
      expect(account).toMatchObject({ generations: 1, missing: 0 });
    } finally {
      await kubectl('uncordon', 'node1');
    }
  }
  expect(await agentProcess(cluster, 'node1')).toEqual(agent);
});

test('20 times the power of a Node is cut, and it comes back: its Pods are captured again, in new files', async () => {
  const pods = await Promise.all(
    nodes.map(({ name: node }) => sendingPod(cluster, { name: `powered-${node}`, node })),
  );
  const resumedMs: number[] = [];
  for (let round = 0; round < powerCuts; round += 1) {
    for (const { folder } of pods) {
      const newest = await newestGeneration(folder);
      await until(async () => (await lengthAfter(folder, newest - 1)) > 200, {
        what: 'a second of datagrams',
        deadlineMs: 30_000,
      });
    }
    const before = await Promise.all(pods.map(({ folder }) => newestGeneration(folder)));
    for (const machine of nodes) expect(cutPower(machine)).toBe(true);
    await until(async () => (await Promise.all(pods.map(tcpdumpsOf))).flat().length === 0, {
      what: 'no tcpdump of before',
    });
    const left = await Promise.all(pods.map(({ folder }, i) => digestsUpTo(folder, before[i] ?? 0)));
    await execute([process.execPath, join(import.meta.dirname, '../../cluster/main.ts'), 'node-start']);
    for (const [i, pod] of pods.entries()) {
      const newest = before[i] ?? 0;
      await until(async () => (await lengthAfter(pod.folder, newest)) > 20, {
        what: `datagrams of ${pod.name} after the power cut`,
        deadlineMs: 120_000,
      });
      expect(await digestsUpTo(pod.folder, newest)).toEqual(left[i]);
      expect(await tcpdumpsOf(pod)).toHaveLength(1);
      const { pid } = await agentProcess(cluster, pod.node);
      const firstMs = (await firstPacketAfter(pod.folder, newest)) ?? Number.NaN;
      resumedMs.push(Math.round(firstMs - (await startedMs(pid))));
    }
  }
  for (const pod of pods) {
    const account = await endLives(cluster, pod);
    printFigures(pod.name, account);
    expect(account.generations).toBe(powerCuts + 1);
    // What lay in the kernel at each cut is in no number: 0.1 s, and here up to half a second.
    expect(account.captured + account.told + powerCuts * 100).toBeGreaterThanOrEqual(account.heard);
  }
  printFigures("powered: from the agent's start to the first packet", { resumedMs });
});

test('5 times a Node is removed from the cluster and registers again: its capture goes on untouched', async () => {
  const pod = await sendingPod(cluster, { name: 'removed', node: 'node1' });
  const tcpdumps = await tcpdumpsOf(pod);
  for (let round = 0; round < 5; round += 1) {
    await kubectl('delete', 'node', 'node1');
    // A kubelet registers when it starts.
    await killComponent({ machine: nodeNamed('node1'), name: 'kubelet' });
    await nodeIsReady('node1');
  }
  expect(await tcpdumpsOf(pod)).toEqual(tcpdumps);
  const account = await endSending(cluster, pod);
  printFigures(pod.name, account);
  expect(account.generations).toBe(1);
});

test('a Node is removed for longer than its Pods are kept: their files stay, and the agent of the Node that comes back knows them', async () => {
  const pod = await sendingPod(cluster, { name: 'long-removed', node: 'node1' });
  const machine = nodeNamed('node1');
  await stopComponent({ machine, name: 'kubelet' });
  try {
    await kubectl('delete', 'node', 'node1');
    await kubectl('-n', cluster.namespace, 'wait', '--for=delete', 'pod/long-removed', '--timeout=180s');
  } finally {
    await startComponent({ machine, name: 'kubelet' });
  }
  await nodeIsReady('node1');
  await until(async () => (await tcpdumpsOf(pod)).length === 0, { what: 'no tcpdump', deadlineMs: 120_000 });
  const agent = await agentProcess(cluster, 'node1');
  const list = () => kubectl('-n', 'kube-system', 'exec', agent.pod, '--', 'podcap', 'list');
  expect(
    await until(() => list().catch(() => undefined), { what: 'the list', deadlineMs: 60_000 }),
  ).toContain('long-removed');
  const account = await accountOfLives(pod);
  await pod.receiver[Symbol.asyncDispose]();
  printFigures(pod.name, account);
  // What it sent after its agent had been ended is in no file.
  expect(account).toMatchObject({ generations: 1, lives: 1 });
  expect(account.captured).toBeGreaterThan(200);
});

async function nodeIsReady(node: string): Promise<void> {
  await until(async () => (await kubectl('get', 'node', node).catch(() => '')) !== '', {
    what: `${node} to be registered`,
    deadlineMs: 60_000,
  });
  await kubectl('wait', '--for=condition=Ready', 'node', node, '--timeout=60s');
  await kubectl('-n', 'kube-system', 'rollout', 'status', 'daemonset/podcap', '--timeout=60s');
}
