import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import * as v from 'valibot';
import { expect } from 'vitest';
import { nodes } from '../../cluster/layout.ts';
import { until } from '../../src/base/until.ts';
import { agentProcess } from '../support/agents.ts';
import { test } from '../support/cluster-test.ts';
import { range } from '../support/consecutive.ts';
import { expectOneCapture } from '../support/datagram-counts.ts';
import type { RunningPod } from '../support/namespace-pods.ts';
import { captureFolders, waitForCaptureFolder, waitForFoldersDeleted } from '../support/node-captures.ts';
import { idle } from '../support/pod-manifests.ts';
import { allProcessIds, nodeProcess, tcpdumpsOf, waitForTcpdumps } from '../support/pod-processes.ts';
import { printFigures } from '../support/print-figures.ts';
import { type ProcessResources, processResources } from '../support/process-resources.ts';
import { kubectl } from '../support/run-kubectl.ts';
import { sendingPods } from '../support/sending-pod.ts';
import type { TestCluster } from '../support/test-cluster.ts';

/** How many Pods the last test creates and deletes, and how many of them exist at a time. */
const churnedPods = 1_000;
const atOnce = 24;
/** One in this many is annotated. */
const annotatedEvery = 10;
/** How many other Pods are captured all the time. */
const captures = 20;

/** The slowest of these tests waits for many Pods. */
const deadlineMs = 60_000;

test('captures each of 100 Pods that are annotated at once, and leaves nothing when the annotations are removed, 5 times', async ({
  cluster,
}) => {
  const sending = await sendingPods(cluster, { name: 'next-to-100' });
  const names = Array.from({ length: 100 }, (_, i) => `crowd-${i}`);
  await Promise.all(names.map((name, i) => cluster.create(idle({ name, node: nodeOf(i) }))));
  const pods: RunningPod[] = [];
  for (const name of names) pods.push(await cluster.running(name));

  // The process keeps the memory of fifty captures at once for the next fifty.
  expect(await annotateAndRemove(cluster, pods)).toBe(100);
  const before = await agentResources(cluster);
  for (let round = 1; round < 5; round += 1) expect(await annotateAndRemove(cluster, pods)).toBe(100);
  await expectNoLeak(cluster, before, '100 annotated at once');
  await kubectl('-n', cluster.namespace, 'delete', 'pods', ...names, '--grace-period=0', '--force');
  await expectOneCapture(cluster, 'other Pods', sending);
});

/** Annotates all Pods at once, then removes the annotations at once. Returns how many folders there were. */
async function annotateAndRemove(cluster: TestCluster, pods: readonly RunningPod[]): Promise<number> {
  const since = performance.now();
  await Promise.all(pods.map(({ name }) => cluster.annotate(name, '2')));
  await waitForTcpdumps(pods, { deadlineMs });
  printFigures(`${pods.length} annotated at once`, { capturedMs: Math.round(performance.now() - since) });
  const folders = new Set(await Promise.all(pods.map(waitForCaptureFolder)));

  await Promise.all(pods.map(({ name }) => cluster.annotate(name, null)));
  await waitForFoldersDeleted(pods, { deadlineMs });
  await waitForTcpdumps(pods, { count: 0, deadlineMs });
  return folders.size;
}

test('follows the last value of an annotation that changes 50 times a second, 5 times', async ({
  cluster,
}) => {
  const sending = await sendingPods(cluster, { name: 'next-to-flapping' });
  const pod = await cluster.start(idle({ name: 'flapping', node: 'node1' }));
  const before = await agentResources(cluster);
  for (const last of ['2', null, '2', null, null]) {
    const since = performance.now();
    const changes = 500;
    for (let i = 1; i <= changes; i += 1) {
      await cluster.annotate('flapping', (changes - i) % 2 === 0 ? last : last === null ? '2' : null);
      // The rate is the fault itself.
      await setTimeout(Math.max(0, since + i * 20 - performance.now()));
    }
    const perSecond = Math.round((changes * 1_000) / (performance.now() - since));
    printFigures(`flapping, ${last ?? 'none'} at last`, { perSecond });
    if (last !== null) await waitForCaptureFolder(pod);
    await waitForTcpdumps([pod], { count: last === null ? 0 : 1, deadlineMs });
    if (last === null) await waitForFoldersDeleted([pod]);
  }
  expect(await tcpdumpsOf(pod)).toEqual([]);
  await expectNoLeak(cluster, before, 'flapping');
  await expectOneCapture(cluster, 'other Pods', sending);
});

test(`${captures} captures miss nothing while ${churnedPods} Pods are created and deleted as fast as the Nodes can`, {
  timeout: 1_200_000,
}, async ({ cluster }) => {
  const sending = await sendingPods(cluster, {
    name: 'next-to-many',
    perNode: captures / nodes.length,
    rate: 20,
  });
  const before = await agentResources(cluster);
  const namespaces = await mountedNamespaces();
  const since = performance.now();
  await churnPods(cluster);
  printFigures(`${churnedPods} Pods created and deleted`, {
    perSecond: Number(((churnedPods * 1_000) / (performance.now() - since)).toFixed(2)),
  });
  for (const pod of sending) expect(await tcpdumpsOf(pod)).toHaveLength(1);
  await expectNoLeak(cluster, before, `${churnedPods} Pods`);
  await until(async () => (await mountedNamespaces()) === namespaces, {
    what: 'as many network namespaces as before',
    deadlineMs,
  });
  // The folders of annotated Pods are kept for the retention time, the others never had one.
  const annotated = range(0, churnedPods / annotatedEvery).map((i) => `churned-${i * annotatedEvery}`);
  const left = (await capturedPods(cluster)).filter((name) => name.startsWith('churned-'));
  expect(left.toSorted()).toEqual(annotated.toSorted());
  await expectOneCapture(cluster, 'other Pods', sending);
});

/** Creates and deletes all Pods, some of them annotated. */
async function churnPods(cluster: TestCluster): Promise<void> {
  let created = 0;
  for (;;) {
    const existing = await existingPods(cluster);
    const running = existing.filter(({ isRunning }) => isRunning).map(({ name }) => name);
    if (running.length > 0) {
      const options = ['--grace-period=1', '--wait=false'];
      await kubectl('-n', cluster.namespace, 'delete', 'pods', ...running, ...options);
    }
    if (created === churnedPods && existing.length === 0) return;
    const next = range(created, Math.max(0, Math.min(churnedPods - created, atOnce - existing.length)));
    created += next.length;
    await Promise.all(
      next.map((i) => {
        const annotation = i % annotatedEvery === 0 ? { annotation: '1' } : {};
        return cluster.create(idle({ name: `churned-${i}`, node: nodeOf(i), ...annotation }));
      }),
    );
    await setTimeout(100);
  }
}

async function existingPods({
  client,
  namespace,
}: TestCluster): Promise<{ name: string; isRunning: boolean }[]> {
  const { items } = v.parse(podsSchema, await client.get({ path: `/api/v1/namespaces/${namespace}/pods` }));
  const churned = items.filter(({ metadata }) => metadata.name.startsWith('churned-'));
  return churned.map(({ metadata, status }) => ({
    name: metadata.name,
    isRunning: status.phase === 'Running' && metadata.deletionTimestamp === undefined,
  }));
}

const podsSchema = v.object({
  items: v.array(
    v.object({
      metadata: v.object({ name: v.string(), deletionTimestamp: v.optional(v.string()) }),
      status: v.object({ phase: v.optional(v.string()) }),
    }),
  ),
});

async function agentResources(cluster: TestCluster): Promise<ProcessResources[]> {
  return await Promise.all(
    nodes.map(async ({ name }) => await processResources((await agentProcess(cluster, name)).pid)),
  );
}

/** Expects nothing that a leak would leave, and memory within what V8 uses before it collects garbage. */
async function expectNoLeak(
  cluster: TestCluster,
  before: readonly ProcessResources[],
  what: string,
): Promise<void> {
  const isAsBefore = (now: readonly ProcessResources[]) =>
    now.every(({ descriptors, processes }, i) => {
      const then = before[i];
      return then && descriptors <= then.descriptors + 4 && processes <= then.processes;
    });
  const after = await until(
    async () => {
      const now = await agentResources(cluster);
      return isAsBefore(now) && now;
    },
    { what: 'as many descriptors and processes as before', deadlineMs },
  );
  printFigures(what, { before, after });
  for (const [i, { rssAnonKib }] of after.entries()) {
    expect(rssAnonKib).toBeLessThan(2 * (before[i]?.rssAnonKib ?? 0));
  }
  expect(await zombies()).toEqual([]);
}

/** The lines of /proc/<pid>/stat of children of agents that have ended and were not waited for. */
async function zombies(): Promise<string[]> {
  const pids = await allProcessIds();
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return stats.filter((stat) => /\((tcpdump|podcap-spawner|nsenter|unshare|setpriv)\) Z /.test(stat));
}

/** How many network namespaces are mounted on the Nodes. */
async function mountedNamespaces(): Promise<number> {
  const mounts = nodes.map(({ name }) => readFile(`/proc/${nodeProcess(name)}/mountinfo`, 'utf8'));
  const lines = (await Promise.all(mounts)).flatMap((mount) => mount.split('\n'));
  return lines.filter((line) => line.includes(' - nsfs ')).length;
}

/** The names of the Pods of this test that have captures on a Node. */
async function capturedPods({ namespace }: TestCluster): Promise<string[]> {
  const folders = await Promise.all(nodes.map(({ name }) => captureFolders(name)));
  return folders.flat().flatMap(({ pod }) => (pod.namespace === namespace ? [pod.pod] : []));
}

function nodeOf(i: number): string {
  return nodes[i % nodes.length]?.name ?? '';
}
