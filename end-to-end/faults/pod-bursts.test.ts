import { readdir, readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import * as v from 'valibot';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodes } from '../../cluster/layout.ts';
import { parseFolderName } from '../../src/agent/storage/file-names.ts';
import { until } from '../../src/testbed/until.ts';
import { agentProcess, heldBy, type ProcessUsage } from '../support/agent-usage.ts';
import { idle } from '../support/pod-manifests.ts';
import { nodeProcess } from '../support/pod-processes.ts';
import { printFigures } from '../support/print-figures.ts';
import { endSending, type SendingPod, sendingPod } from '../support/sending-pod.ts';
import {
  captureFolder,
  capturesRoot,
  kubectl,
  type RunningPod,
  run,
  type TestCluster,
  tcpdumpsByPod,
  tcpdumpsOf,
  testCluster,
  untilFolder,
} from '../support/test-cluster.ts';

/** So many come and go in the last test, and so many are there at a time. */
const lives = 1_000;
const atOnce = 24;
/** One of so many is annotated. */
const annotatedEvery = 10;
/** Each of them is captured all the while. */
const captures = 20;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await testCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

test('100 Pods are annotated at once, and the annotations removed at once, 5 times: each is captured, then nothing is left', async () => {
  const sending = await sendingPods('beside-100', 1);
  const names = Array.from({ length: 100 }, (_, i) => `crowd-${i}`);
  await Promise.all(names.map((name, i) => cluster.create(idle({ name, node: nodeOf(i) }))));
  const pods: RunningPod[] = [];
  for (const name of names) pods.push(await cluster.running(name));

  // What fifty captures at once need of memory is kept for the next fifty.
  expect(await annotateAndNot(pods)).toBe(100);
  const before = await held();
  for (let round = 1; round < 5; round += 1) expect(await annotateAndNot(pods)).toBe(100);
  await heldAsBefore(before, '100 annotated at once');
  await kubectl('-n', cluster.namespace, 'delete', 'pods', ...names, '--grace-period=0', '--force');
  await endUntouched(sending);
});

/** All at once; each is captured, then nothing is left. Gives back how many folders there were. */
async function annotateAndNot(pods: readonly RunningPod[]): Promise<number> {
  const since = performance.now();
  await Promise.all(pods.map(({ name }) => cluster.annotate(name, '2')));
  await untilTcpdumps(pods, 1);
  printFigures(`${pods.length} annotated at once`, { capturedMs: Math.round(performance.now() - since) });
  const folders = new Set(await Promise.all(pods.map(untilFolder)));

  await Promise.all(pods.map(({ name }) => cluster.annotate(name, null)));
  await until(async () => (await Promise.all(pods.map(captureFolder))).every((folder) => !folder), {
    what: 'no folder',
    deadlineMs: 60_000,
  });
  await untilTcpdumps(pods, 0);
  return folders.size;
}

test('an annotation that flaps 50 times a second ends as it was set last, 5 times', async () => {
  const sending = await sendingPods('beside-flapping', 1);
  await cluster.create(idle({ name: 'flapping', node: 'node1' }));
  const pod = await cluster.running('flapping');
  const before = await held();
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
    if (last !== null) await untilFolder(pod);
    await untilTcpdumps([pod], last === null ? 0 : 1);
    if (last === null) await until(async () => !(await captureFolder(pod)), { what: 'no folder' });
  }
  expect(await tcpdumpsOf(pod)).toEqual([]);
  await heldAsBefore(before, 'flapping');
  await endUntouched(sending);
});

test(`${lives} Pods come and go as fast as the Nodes can beside ${captures} captures, which miss nothing`, {
  timeout: 1_200_000,
}, async () => {
  const sending = await sendingPods('beside-many', captures / nodes.length);
  const before = await held();
  const namespaces = await mountedNamespaces();
  const since = performance.now();
  await comeAndGo();
  printFigures(`${lives} Pods created and deleted`, {
    perSecond: Number(((lives * 1_000) / (performance.now() - since)).toFixed(2)),
  });
  for (const pod of sending) expect(await tcpdumpsOf(pod)).toHaveLength(1);
  await heldAsBefore(before, `${lives} Pods`);
  await until(async () => (await mountedNamespaces()) === namespaces, {
    what: 'the network namespaces of before',
    deadlineMs: 60_000,
  });
  // The annotated ones keep theirs for the retention time, the others never had any.
  const annotated = run(0, lives / annotatedEvery).map((i) => `life-${i * annotatedEvery}`);
  const left = (await capturedPods()).filter((name) => name.startsWith('life-'));
  expect(left.toSorted()).toEqual(annotated.toSorted());
  await endUntouched(sending);
});

/** Some are annotated: their captures end with them. */
async function comeAndGo(): Promise<void> {
  let created = 0;
  for (;;) {
    const there = await churned();
    const running = there.filter(({ isRunning }) => isRunning).map(({ name }) => name);
    if (running.length > 0) {
      await kubectl(
        '-n',
        cluster.namespace,
        'delete',
        'pods',
        ...running,
        '--grace-period=1',
        '--wait=false',
      );
    }
    if (created === lives && there.length === 0) return;
    const next = run(created, Math.max(0, Math.min(lives - created, atOnce - there.length)));
    created += next.length;
    await Promise.all(
      next.map((i) => {
        const annotation = i % annotatedEvery === 0 ? { annotation: '1' } : {};
        return cluster.create(idle({ name: `life-${i}`, node: nodeOf(i), ...annotation }));
      }),
    );
    await setTimeout(100);
  }
}

async function churned(): Promise<{ name: string; isRunning: boolean }[]> {
  const path = `/api/v1/namespaces/${cluster.namespace}/pods`;
  const { items } = v.parse(podsSchema, await cluster.client.get({ path }));
  const short = items.filter(({ metadata }) => metadata.name.startsWith('life-'));
  return short.map(({ metadata, status }) => ({
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

async function sendingPods(name: string, perNode: number): Promise<SendingPod[]> {
  const rate = perNode === 1 ? 200 : 20;
  const all = nodes.flatMap(({ name: node }) =>
    Array.from({ length: perNode }, (_, i) =>
      sendingPod(cluster, { name: `${name}-${node}-${i}`, node, rate }),
    ),
  );
  return await Promise.all(all);
}

async function endUntouched(pods: readonly SendingPod[]): Promise<void> {
  const accounts = await Promise.all(pods.map((pod) => endSending(cluster, pod)));
  const sum = (key: 'heard' | 'captured' | 'missing' | 'told') =>
    accounts.reduce((total, account) => total + account[key], 0);
  printFigures(`${pods.length} Pods beside it`, {
    heard: sum('heard'),
    captured: sum('captured'),
    missing: sum('missing'),
    told: sum('told'),
  });
  expect(accounts.map(({ generations }) => generations)).toEqual(pods.map(() => 1));
}

async function held(): Promise<ProcessUsage[]> {
  return await Promise.all(
    nodes.map(async ({ name }) => await heldBy((await agentProcess(cluster, name)).pid)),
  );
}

/** Nothing that a leak would leave; memory within what V8 lets itself have before it collects. */
async function heldAsBefore(before: readonly ProcessUsage[], what: string): Promise<void> {
  const isAsBefore = (now: readonly ProcessUsage[]) =>
    now.every(({ descriptors, processes }, i) => {
      const then = before[i];
      return then && descriptors <= then.descriptors + 4 && processes <= then.processes;
    });
  const after = await until(
    async () => {
      const now = await held();
      return isAsBefore(now) && now;
    },
    { what: 'the descriptors and processes of before', deadlineMs: 60_000 },
  );
  printFigures(what, { before, after });
  for (const [i, { rssAnonKib }] of after.entries()) {
    expect(rssAnonKib).toBeLessThan(2 * (before[i]?.rssAnonKib ?? 0));
  }
  expect(await zombies()).toEqual([]);
}

async function zombies(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return stats.filter((stat) => /\((tcpdump|podcap-spawner|nsenter|unshare|setpriv)\) Z /.test(stat));
}

/** How many network namespaces are mounted on the Nodes. */
async function mountedNamespaces(): Promise<number> {
  const mounts = nodes.map(({ name }) => readFile(`/proc/${nodeProcess(name)}/mountinfo`, 'utf8'));
  const lines = (await Promise.all(mounts)).flatMap((mount) => mount.split('\n'));
  return lines.filter((line) => line.includes(' - nsfs ')).length;
}

/** The Pods of this test, by name, of which the Nodes have captures. */
async function capturedPods(): Promise<string[]> {
  const names = (await Promise.all(nodes.map(({ name }) => readdir(capturesRoot(name))))).flat();
  const folders = names.flatMap((name) => parseFolderName(name) ?? []);
  return folders.filter(({ namespace }) => namespace === cluster.namespace).map(({ pod }) => pod);
}

/** Waits until so many tcpdumps run for each of these Pods. */
async function untilTcpdumps(pods: readonly RunningPod[], count: number): Promise<void> {
  await until(
    async () => {
      const tcpdumps = await tcpdumpsByPod();
      return pods.every(({ uid }) => (tcpdumps.get(uid)?.length ?? 0) === count);
    },
    { what: `${count} tcpdump for each of ${pods.length} Pods`, deadlineMs: 60_000 },
  );
}

function nodeOf(i: number): string {
  return nodes[i % nodes.length]?.name ?? '';
}
