import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import { startComponent, stopComponent } from '../../cluster/component-control.ts';
import { control, nodes } from '../../cluster/layout.ts';
import { until } from '../../src/base/until.ts';
import { agentOn, agentProcess } from '../support/agents.ts';
import { capturedPod } from '../support/captured-pod.ts';
import { test } from '../support/cluster-test.ts';
import { deleteAndCount, expectOneCapture } from '../support/datagram-counts.ts';
import type { RunningPod } from '../support/namespace-pods.ts';
import { inNetworkOf, partition, reconnect } from '../support/network-partition.ts';
import { captureFolder, waitForCaptureFolder, waitForFoldersDeleted } from '../support/node-captures.ts';
import { idle } from '../support/pod-manifests.ts';
import { tcpdumpsOf } from '../support/pod-processes.ts';
import { printFigures } from '../support/print-figures.ts';
import { newestGeneration, waitForDatagrams } from '../support/ring-contents.ts';
import { kubectl } from '../support/run-kubectl.ts';
import { type SendingPod, sendingPod } from '../support/sending-pod.ts';
import type { TestCluster } from '../support/test-cluster.ts';

const apiServer = { machine: control, name: 'kube-apiserver' } as const;
/** As long as outages in production: longer than most timeouts. */
const longOutageMs = 120_000;
const longOutages = 5;

const kills = 20;

test(`captures continue untouched while the API server is killed ${kills} times; later changes take effect, with one list at most`, async ({
  cluster,
}) => {
  const [web, other] = await podOnEachNode(cluster, 'short');
  const toggled = await cluster.start(idle({ name: 'toggled', node: 'node1' }));
  const tcpdumps = await Promise.all([web, other].map(tcpdumpsOf));
  const sinceMs = Date.now();
  const effectMs: number[] = [];
  for (let round = 0; round < kills; round += 1) {
    await stopComponent(apiServer);
    const { count } = web.receiver.received();
    await until(() => web.receiver.received().count > count + 400, { what: 'two seconds of datagrams' });
    await startComponent(apiServer);
    effectMs.push(await toggle(cluster, toggled, round));
  }
  expect(await Promise.all([web, other].map(tcpdumpsOf))).toEqual(tcpdumps);
  await expectOneCapture(cluster, 'short', [web, other]);
  const listed = await listsSince(sinceMs);
  printFigures(`${kills} short outages`, { effectMs, listed });
  expect(listed).toBeLessThanOrEqual(kills * nodes.length);
});

test(`captures continue while the API server is down for 2 minutes, ${longOutages} times, also in an agent that starts meanwhile; few lists follow`, async ({
  cluster,
}) => {
  const [web, other] = await podOnEachNode(cluster, 'long');
  const toggled = await cluster.start(idle({ name: 'toggled-late', node: 'node1' }));
  const tcpdumps = await tcpdumpsOf(web);
  const sinceMs = Date.now();
  const readyz = await requestToAgent('node1', '/readyz');
  const effectMs: number[] = [];
  for (let round = 0; round < longOutages; round += 1) {
    const [agent, newest] = [await agentProcess(cluster, 'node2'), await newestGeneration(other.folder)];
    await stopComponent(apiServer);
    try {
      const over = setTimeout(longOutageMs);
      process.kill(agent.pid, 'SIGKILL');
      // In files of an agent that never reached the API server.
      await waitForDatagrams(other.folder, 20, { after: newest, deadlineMs: 60_000 });
      expect(await readyz()).toContain('\nok\n');
      await over;
      expect(await tcpdumpsOf(web)).toEqual(tcpdumps);
      expect(await readyz()).toContain('\nok\n');
    } finally {
      await startComponent(apiServer);
    }
    effectMs.push(await toggle(cluster, toggled, round));
  }
  expect(await tcpdumpsOf(web)).toEqual(tcpdumps);
  const counts = [await deleteAndCount(cluster, web), await deleteAndCount(cluster, other)];
  const listed = await listsSince(sinceMs);
  printFigures(`${longOutages} times 2 minutes without the API server`, { effectMs, listed, counts });
  expect(counts.map(({ generations }) => generations)).toEqual([1, 1 + longOutages]);
  expect(listed).toBeLessThanOrEqual(longOutages * nodes.length);
});

test('changes that agents miss while their packets to the API server are dropped take effect once packets pass again', async ({
  cluster,
}) => {
  const pods = await podOnEachNode(cluster, 'cut-off');
  const wanted = await cluster.start(idle({ name: 'wanted', node: 'node1' }));
  const unwanted = await capturedPod(cluster, 'unwanted');
  const tcpdumps = await Promise.all(pods.map(tcpdumpsOf));
  const sinceMs = Date.now();
  await Promise.all(nodes.map(({ name }) => partition(name)));
  try {
    await cluster.annotate('wanted', '2');
    await cluster.annotate('unwanted', null);
    // Longer than it takes to detect a dead connection.
    await setTimeout(45_000);
    expect(await captureFolder(wanted)).toBeUndefined();
    expect(await captureFolder(unwanted)).toBe(unwanted.folder);
  } finally {
    await Promise.all(nodes.map(({ name }) => reconnect(name)));
  }
  const since = performance.now();
  await waitForCaptureFolder(wanted);
  await waitForFoldersDeleted([unwanted], { deadlineMs: 30_000 });
  const effectMs = Math.round(performance.now() - since);
  expect(await Promise.all(pods.map(tcpdumpsOf))).toEqual(tcpdumps);
  await expectOneCapture(cluster, 'cut off', pods);
  const listed = await listsSince(sinceMs);
  printFigures('45 s cut off', { effectMs, listed });
  expect(listed).toBe(0);
});

async function podOnEachNode(cluster: TestCluster, name: string): Promise<[SendingPod, SendingPod]> {
  return await Promise.all([
    sendingPod(cluster, { name: `${name}-node1`, node: 'node1' }),
    sendingPod(cluster, { name: `${name}-node2`, node: 'node2' }),
  ]);
}

/**
 * Sets the annotation in even rounds and removes it in odd ones, as soon as the API server accepts that. Returns how
 * many milliseconds it then takes to have an effect.
 */
async function toggle(cluster: TestCluster, pod: RunningPod, round: number): Promise<number> {
  const isWanted = round % 2 === 0;
  const annotate = () =>
    cluster.annotate(pod.name, isWanted ? '2' : null).then(
      () => true,
      () => false,
    );
  await until(annotate, { what: 'the API server to be back', deadlineMs: 60_000 });
  const since = performance.now();
  if (isWanted) await waitForCaptureFolder(pod);
  else await waitForFoldersDeleted([pod], { deadlineMs: 30_000 });
  return Math.round(performance.now() - since);
}

/** How often agents have logged since then that a server made them list again; an unreachable server does not count. */
async function listsSince(sinceMs: number): Promise<number> {
  const logs = nodes.map(async ({ name }) => kubectl('-n', 'kube-system', 'logs', await agentOn(name)));
  const lines = (await Promise.all(logs)).join('\n').split('\n');
  return lines.filter(
    (line) =>
      line.includes('"next":"list"') &&
      !line.includes('"reason":"Unreachable"') &&
      Number(/"time":(\d+)/.exec(line)?.[1]) >= sinceMs,
  ).length;
}

/** Prepares an HTTP request to the agent of that Node, which is sent from the Node and needs no API server. */
async function requestToAgent(node: string, path: string): Promise<() => Promise<string>> {
  const podIp = ['-o', 'jsonpath={.status.podIP}'];
  const ip = await kubectl('-n', 'kube-system', 'get', 'pod', await agentOn(node), ...podIp);
  const script = `exec 3<>/dev/tcp/${ip}/9780; printf 'GET ${path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
  return () => inNetworkOf(node, 'bash', '-c', script);
}
