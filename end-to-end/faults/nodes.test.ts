import { join } from 'node:path';
import { expect } from 'vitest';
import { killComponent, startComponent, stopComponent } from '../../cluster/component-control.ts';
import { nodeNamed, nodes } from '../../cluster/layout.ts';
import { cutPower } from '../../cluster/machine.ts';
import { until } from '../../src/base/until.ts';
import { run } from '../../src/testbed/run-program.ts';
import { agentProcess } from '../support/agents.ts';
import { test } from '../support/cluster-test.ts';
import { countRestarts, deleteAndCount, deleteAndCountRestarts } from '../support/datagram-counts.ts';
import { processesOf, tcpdumpsOf, waitForTcpdumps } from '../support/pod-processes.ts';
import { printFigures } from '../support/print-figures.ts';
import { processStartMs } from '../support/process-resources.ts';
import { listedState } from '../support/read-back.ts';
import {
  digestsUpTo,
  firstPacketMsAfter,
  newestGeneration,
  waitForDatagrams,
} from '../support/ring-contents.ts';
import { kubectl } from '../support/run-kubectl.ts';
import { deleteSendingPod, sendingPod, sendingPods } from '../support/sending-pod.ts';

/** For each Node. */
const powerCuts = 10;

test('a Node that is drained 5 times keeps the files of its Pods, with the last datagram, and its agent', async ({
  cluster,
}) => {
  const agent = await agentProcess(cluster, 'node1');
  for (let round = 0; round < 5; round += 1) {
    const pod = await sendingPod(cluster, { name: `drained-${round}`, node: 'node1' });
    await until(() => pod.receiver.received().count > 20, { what: 'datagrams' });
    try {
      const flags = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', '--grace-period=1'];
      await kubectl('drain', 'node1', ...flags, '--timeout=60s');
      const counts = await deleteAndCount(cluster, pod);
      printFigures(pod.name, counts);
      expect(counts).toMatchObject({ generations: 1, missing: 0 });
    } finally {
      await kubectl('uncordon', 'node1');
    }
  }
  expect(await agentProcess(cluster, 'node1')).toEqual(agent);
});

test('the Pods of a Node are captured again, in new files, after each of 20 power cuts', async ({
  cluster,
}) => {
  const pods = await sendingPods(cluster, { name: 'powered' });
  const resumedMs: number[] = [];
  for (let round = 0; round < powerCuts; round += 1) {
    for (const { folder } of pods) {
      const newest = await newestGeneration(folder);
      // A second.
      await waitForDatagrams(folder, 200, { after: newest - 1, deadlineMs: 30_000 });
    }
    const before = await Promise.all(pods.map(({ folder }) => newestGeneration(folder)));
    for (const machine of nodes) expect(cutPower(machine)).toBe(true);
    await waitForTcpdumps(pods, { count: 0 });
    const left = await Promise.all(pods.map(({ folder }, i) => digestsUpTo(folder, before[i] ?? 0)));
    await run([process.execPath, join(import.meta.dirname, '../../cluster/main.ts'), 'node-start']);
    for (const [i, pod] of pods.entries()) {
      const newest = before[i] ?? 0;
      await waitForDatagrams(pod.folder, 20, { after: newest, deadlineMs: 120_000 });
      expect(await digestsUpTo(pod.folder, newest)).toEqual(left[i]);
      expect(await tcpdumpsOf(pod)).toHaveLength(1);
      const { pid } = await agentProcess(cluster, pod.node);
      const firstMs = (await firstPacketMsAfter(pod.folder, newest)) ?? Number.NaN;
      resumedMs.push(Math.round(firstMs - (await processStartMs(pid))));
    }
  }
  for (const pod of pods) {
    const counts = await deleteAndCountRestarts(cluster, pod);
    printFigures(pod.name, counts);
    expect(counts.generations).toBe(powerCuts + 1);
    // No counter has what was in the kernel at a cut: half a second of it is allowed for here.
    expect(counts.captured + counts.reported + powerCuts * 100).toBeGreaterThanOrEqual(counts.received);
  }
  printFigures("powered: from the agent's start to the first packet", { resumedMs });
});

test('a capture continues untouched when its Node is removed from the cluster and registers again 5 times', async ({
  cluster,
}) => {
  const pod = await sendingPod(cluster, { name: 'removed', node: 'node1' });
  const tcpdumps = await tcpdumpsOf(pod);
  for (let round = 0; round < 5; round += 1) {
    await kubectl('delete', 'node', 'node1');
    // A kubelet registers when it starts.
    await killComponent({ machine: nodeNamed('node1'), name: 'kubelet' });
    await waitForNode('node1');
  }
  expect(await tcpdumpsOf(pod)).toEqual(tcpdumps);
  const counts = await deleteAndCount(cluster, pod);
  printFigures(pod.name, counts);
  expect(counts.generations).toBe(1);
});

test('a Node that returns after its Pods were deleted still has their files, and its agent lists them', async ({
  cluster,
}) => {
  const pod = await sendingPod(cluster, { name: 'long-removed', node: 'node1' });
  const machine = nodeNamed('node1');
  await stopComponent({ machine, name: 'kubelet' });
  try {
    await kubectl('delete', 'node', 'node1');
    await kubectl('-n', cluster.namespace, 'wait', '--for=delete', 'pod/long-removed', '--timeout=180s');
  } finally {
    await startComponent({ machine, name: 'kubelet' });
  }
  await waitForNode('node1');
  await waitForTcpdumps([pod], { count: 0, deadlineMs: 120_000 });
  const agent = await agentProcess(cluster, 'node1');
  const list = () => kubectl('-n', 'kube-system', 'exec', agent.pod, '--', 'podcap', 'list');
  expect(
    await until(() => list().catch(() => undefined), { what: 'the list', deadlineMs: 60_000 }),
  ).toContain('long-removed');
  const counts = await countRestarts(pod);
  await pod.receiver[Symbol.asyncDispose]();
  printFigures(pod.name, counts);
  // What it sent after its agent had ended is in no file.
  expect(counts).toMatchObject({ generations: 1, senderStarts: 1 });
  expect(counts.captured).toBeGreaterThan(200);
});

test('a Node that is lost and comes back freezes no ring, and a container that ends after that does', async ({
  cluster,
}) => {
  const pod = await sendingPod(cluster, { name: 'lost', node: 'node1' });
  await cluster.annotate(pod.name, { 'podcap.dev/freeze-on': 'restart,oom-killed,not-ready,failed' });
  const machine = nodeNamed('node1');
  await stopComponent({ machine, name: 'kubelet' });
  try {
    await kubectl('wait', '--for=condition=Ready=Unknown', 'node', 'node1', '--timeout=120s');
    await kubectl(
      '-n',
      cluster.namespace,
      'wait',
      '--for=condition=Ready=false',
      'pod/lost',
      '--timeout=60s',
    );
  } finally {
    await startComponent({ machine, name: 'kubelet' });
  }
  await waitForNode('node1');
  await kubectl('-n', cluster.namespace, 'wait', '--for=condition=Ready', 'pod/lost', '--timeout=60s');
  expect((await listedState(pod))?.frozen).toBeUndefined();
  const [container] = await processesOf(pod.uid, 'node');
  if (container === undefined) throw new Error('no container');
  process.kill(container, 'SIGKILL');
  const event = await cluster.event(pod.uid, 'CaptureFrozen');
  expect(event.message).toMatch(/^container main ended at .* with exit code 137 /);
  await deleteSendingPod(cluster, pod);
});

/** Waits until the Node is registered and Ready, and its agent runs. */
async function waitForNode(node: string): Promise<void> {
  await until(async () => (await kubectl('get', 'node', node).catch(() => '')) !== '', {
    what: `${node} to be registered`,
    deadlineMs: 60_000,
  });
  await kubectl('wait', '--for=condition=Ready', 'node', node, '--timeout=60s');
  await kubectl('-n', 'kube-system', 'rollout', 'status', 'daemonset/podcap', '--timeout=60s');
}
