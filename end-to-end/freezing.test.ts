import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { FreezeTrigger } from '../src/agent/planner/annotations.ts';
import { until } from '../src/base/until.ts';
import type { ListedFrozenRing } from '../src/commands/listed-recording.ts';
import { capturedNumbers } from '../src/pcap/testing/captured-numbers.ts';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { agentProcess } from './support/agents.ts';
import { test } from './support/cluster-test.ts';
import { expectConsecutive } from './support/consecutive.ts';
import { hostReceiver } from './support/host-receiver.ts';
import { waitForCaptureFolder, waitForFoldersDeleted } from './support/node-captures.ts';
import { senderBesideVictim } from './support/pod-manifests.ts';
import { waitForTcpdumps } from './support/pod-processes.ts';
import { listedState, readBack, waitForListedState } from './support/read-back.ts';
import { newestGeneration, waitForDatagrams } from './support/ring-contents.ts';
import { kubectl } from './support/run-kubectl.ts';
import type { TestCluster } from './support/test-cluster.ts';

/** 0.1 MB/s: a ring of 3 files of 1 MB reaches back half a minute. */
const traffic = { node: 'node1', rate: 200, bytes: 500 };

/** A captured Pod whose ring is frozen by these triggers, with some datagrams in it. */
async function freezingPod(cluster: TestCluster, name: string, on: readonly FreezeTrigger[], more = {}) {
  const receiver = await hostReceiver();
  const { address: to, port } = receiver;
  const annotations = { 'podcap.dev/freeze-on': on.join(','), 'podcap.dev/freeze-after': '2s', ...more };
  const pod = await cluster.start(
    senderBesideVictim({ name, ...traffic, to, port, annotation: '3', annotations }),
  );
  await cluster.event(pod.uid, 'CaptureStarted');
  const folder = await waitForCaptureFolder(pod);
  await waitForDatagrams(folder, 400);
  return { ...pod, folder, receiver };
}

type FreezingPod = Awaited<ReturnType<typeof freezingPod>>;

/** Makes a file in the container that is to come to grief. */
async function tellVictim(cluster: TestCluster, { name }: FreezingPod, file: string): Promise<void> {
  await kubectl('-n', cluster.namespace, 'exec', name, '-c', 'victim', '--', 'touch', file);
}

async function frozenRings(pod: FreezingPod, count: number): Promise<readonly ListedFrozenRing[]> {
  return await until(
    async () => {
      // Not while the agent starts again.
      const { frozen = [] } = (await listedState(pod).catch(() => undefined)) ?? {};
      return frozen.length >= count && frozen;
    },
    { what: `${count} frozen rings`, deadlineMs: 60_000 },
  );
}

/** The numbers of the datagrams that `podcap read` writes. */
async function readNumbers(pod: FreezingPod, ...args: readonly string[]): Promise<readonly number[]> {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'read.pcap');
  await writeFile(path, await readBack(pod, 'pcap', ...args));
  return await capturedNumbers(path);
}

/** Each datagram is there once: those around the trigger in the frozen ring, and later ones in the ring that continues. */
async function expectFrozen(pod: FreezingPod, around: { readonly before: number; readonly after: number }) {
  const frozen = await readNumbers(pod, '--frozen', '1');
  const { first, last } = expectConsecutive(frozen);
  expect(first).toBeLessThanOrEqual(around.before);
  expect(last).toBeGreaterThanOrEqual(around.after);
  await waitForDatagrams(pod.folder, 200, { after: (await newestGeneration(pod.folder)) - 1 });
  const ring = expectConsecutive(await readNumbers(pod));
  expect(ring.first).toBeLessThanOrEqual(last + 1);
  const all = expectConsecutive(await readNumbers(pod, '--frozen', 'all'));
  expect(all.first).toBe(first);
  expect(all.last).toBeGreaterThanOrEqual(ring.last);
}

test.for<[string, FreezeTrigger, string, object]>([
  [
    'a container that is killed for lack of memory',
    'oom-killed',
    '/tmp/oom',
    { exitCode: 137, reason: 'OOMKilled' },
  ],
  ['a container that crashes', 'restart', '/tmp/end', { exitCode: 3, reason: 'Error' }],
  ['a probe that fails', 'not-ready', '/tmp/unready', {}],
])('%s freezes the ring, and the capture continues', async ([what, trigger, file, details], { cluster }) => {
  const pod = await freezingPod(cluster, `freeze-${trigger}`, [trigger]);
  // A container that has never been ready does not become not ready.
  await kubectl('-n', cluster.namespace, 'wait', `pod/${pod.name}`, '--for=condition=Ready', '--timeout=30s');
  const { last: before } = pod.receiver.received();
  await tellVictim(cluster, pod, file);
  const event = await cluster.event(pod.uid, 'CaptureFrozen');
  const [ring] = await frozenRings(pod, 1);
  expect(ring?.causes).toMatchObject([{ trigger, container: 'victim', ...details }]);
  const { first = '' } = ring?.frozen ?? {};
  expect(event.message).toContain(
    `frozen ring 1 has ${ring?.frozen?.packets} packets from ${first} to ${ring?.frozen?.last}; it reaches back to`,
  );
  const after = before + (Date.parse(ring?.time ?? '') - Date.parse(first)) / 1_000;
  expect({ what, after }).toEqual({ what, after: expect.any(Number) });
  await expectFrozen(pod, { before, after: before });
  await pod.receiver[Symbol.asyncDispose]();
});

test('each new text of podcap.dev/freeze freezes once, and removing the capture annotation deletes frozen rings', async ({
  cluster,
}) => {
  const pod = await freezingPod(cluster, 'by-hand', ['restart']);
  for (const [at, text] of ['first', 'second'].entries()) {
    await cluster.annotate(pod.name, { 'podcap.dev/freeze': text });
    const ring = (await frozenRings(pod, at + 1)).at(-1);
    expect(ring?.causes).toEqual([{ trigger: 'manual', text }]);
  }
  await cluster.annotate(pod.name, { 'podcap.dev/freeze': null });
  await cluster.annotate(pod.name, { 'podcap.dev/freeze': 'second' });
  await waitForDatagrams(pod.folder, 600, { after: (await newestGeneration(pod.folder)) - 1 });
  expect(await frozenRings(pod, 2)).toHaveLength(2);
  await cluster.annotate(pod.name, null);
  await waitForFoldersDeleted([pod]);
  await pod.receiver[Symbol.asyncDispose]();
});

test('a crash loop freezes at most once a minute, and says how often it did not', async ({ cluster }) => {
  const pod = await freezingPod(cluster, 'crash-loop', ['restart']);
  await tellVictim(cluster, pod, '/shared/loop');
  // Its back-off grows to 40 s within that time.
  const rings = await until(
    async () => {
      const { frozen = [] } = (await listedState(pod)) ?? {};
      return frozen.length >= 2 && frozen;
    },
    { what: 'a second frozen ring', deadlineMs: 180_000, everyMs: 1_000 },
  );
  const [first, second] = rings.map(({ time }) => Date.parse(time));
  expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(60_000);
  expect(rings[1]?.notFrozenBefore).toBeGreaterThan(0);
  const event = await cluster.event(pod.uid, 'CaptureFrozen', 'frozen ring 2');
  expect(event.message).toMatch(/; \d+ more times? before, nothing was frozen/);
  await pod.receiver[Symbol.asyncDispose]();
});

test('an agent that is killed while it freezes: the next one finishes it, and nothing is there twice', async ({
  cluster,
}) => {
  const pod = await freezingPod(cluster, 'killed-midway', ['restart'], { 'podcap.dev/freeze-after': '30s' });
  const { last: before } = pod.receiver.received();
  const generation = await newestGeneration(pod.folder);
  await tellVictim(cluster, pod, '/tmp/end');
  // The one that continues the ring: the other one is being frozen.
  await waitForDatagrams(pod.folder, 20, { after: generation });
  const agent = await agentProcess(cluster, 'node1');
  process.kill(agent.pid, 'SIGKILL');
  const [ring] = await frozenRings(pod, 1);
  expect(ring?.causes).toMatchObject([{ trigger: 'restart', container: 'victim', exitCode: 3 }]);
  await waitForTcpdumps([pod]);
  const { first, last } = expectConsecutive(await readNumbers(pod, '--frozen', '1'));
  expect(first).toBeLessThanOrEqual(before);
  expect(last).toBeGreaterThanOrEqual(before);
  const all = await readNumbers(pod, '--frozen', 'all');
  expect(new Set(all).size).toBe(all.length);
  await pod.receiver[Symbol.asyncDispose]();
});

test('what happened while no agent ran freezes what is left of that time', async ({ cluster }) => {
  const pod = await freezingPod(cluster, 'no-agent', ['restart']);
  const agent = await agentProcess(cluster, 'node1');
  // It sees nothing while it is stopped, and is killed then.
  process.kill(agent.pid, 'SIGSTOP');
  await tellVictim(cluster, pod, '/tmp/end');
  await until(
    async () =>
      (
        await kubectl(
          '-n',
          cluster.namespace,
          'get',
          'pod',
          pod.name,
          '-o',
          'jsonpath={.status.containerStatuses[*].restartCount}',
        )
      ).includes('1'),
    { what: 'the restart', deadlineMs: 60_000 },
  );
  process.kill(agent.pid, 'SIGKILL');
  const [ring] = await frozenRings(pod, 1);
  expect(ring?.causes).toMatchObject([{ trigger: 'restart', container: 'victim', isLate: true }]);
  await pod.receiver[Symbol.asyncDispose]();
});

test('a rollout freezes nothing', async ({ cluster }) => {
  const pod = await freezingPod(cluster, 'rolled-out', ['restart', 'oom-killed', 'not-ready', 'failed']);
  await cluster.delete(pod.name, '--grace-period=1');
  await cluster.event(pod.uid, 'CaptureStopped');
  const listed = await waitForListedState(pod, { state: 'ended' });
  expect(listed.frozen).toBeUndefined();
  await pod.receiver[Symbol.asyncDispose]();
});

test('a paused capture keeps its files, with the last datagram, and continues in the same ring', async ({
  cluster,
}) => {
  const pod = await freezingPod(cluster, 'paused', ['restart']);
  const before = pod.receiver.received().last;
  await cluster.annotate(pod.name, { 'podcap.dev/paused': 'true' });
  await cluster.event(pod.uid, 'CapturePaused');
  await waitForTcpdumps([pod], { count: 0 });
  await waitForListedState(pod, { state: 'paused' });
  const kept = expectConsecutive(await readNumbers(pod));
  expect(kept.last).toBeGreaterThanOrEqual(before);
  await cluster.annotate(pod.name, { 'podcap.dev/paused': null });
  await waitForTcpdumps([pod]);
  await waitForDatagrams(pod.folder, 100, { after: 1 });
  const numbers = await readNumbers(pod);
  expect(numbers[0]).toBe(kept.first);
  expect(numbers).toContain(kept.last);
  await pod.receiver[Symbol.asyncDispose]();
});
