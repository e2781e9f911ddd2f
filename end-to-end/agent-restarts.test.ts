import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readRecord } from '../src/agent/storage/capture-records.ts';
import { until } from '../src/base/until.ts';
import { capturedNumbers } from '../src/pcap/testing/captured-numbers.ts';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { patchAgents, restartAgents } from './support/agent-daemonset.ts';
import { agentOn, agentProcess } from './support/agents.ts';
import { numbersOf, packetsIn } from './support/captured-packets.ts';
import { capturedPod, sendCaptured } from './support/captured-pod.ts';
import { test } from './support/cluster-test.ts';
import { expectConsecutive, range } from './support/consecutive.ts';
import { captureFolder, waitForFoldersDeleted } from './support/node-captures.ts';
import { tcpdumpsOf, waitForTcpdumps } from './support/pod-processes.ts';
import { readBack } from './support/read-back.ts';
import {
  digestsUpTo,
  numbersIn,
  ringFiles,
  waitForDatagrams,
  waitForGeneration,
} from './support/ring-contents.ts';
import { kubectl } from './support/run-kubectl.ts';
import { deleteSendingPod, sendingPod } from './support/sending-pod.ts';

/** 0.5 MB/s. */
const fast = { node: 'node1', rate: 500, bytes: 1_000 };

test('tcpdump ends with a killed agent; the next agent continues at once, keeps the old files and counts the gap', async ({
  cluster,
}) => {
  const web = await sendingPod(cluster, { name: 'web', ...fast });
  await until(async () => (await ringFiles(web.folder)).length >= 2, { what: '2 files', deadlineMs: 30_000 });
  const [tcpdump] = await tcpdumpsOf(web);
  if (tcpdump === undefined) throw new Error('no tcpdump');
  const agent = await agentProcess(cluster, 'node1');

  process.kill(agent.pid, 'SIGKILL');
  await until(async () => !(await tcpdumpsOf(web)).includes(tcpdump), { what: 'its tcpdump to be gone' });
  const left = await digestsUpTo(web.folder, 1);
  // The kubelet restarts the container without a delay the first time.
  await waitForTcpdumps([web], { deadlineMs: 30_000 });
  expect(await agentOn('node1')).toBe(agent.pod);
  await waitForDatagrams(web.folder, 500, { after: 1 });
  // The gap is known at the end of the capture, or after half a minute.
  await deleteSendingPod(cluster, web);

  expect(await digestsUpTo(web.folder, 1)).toEqual(left);
  const { before, after } = await twoGenerationsOf(web.folder);
  const missing = after.first - before.last - 1;
  expect(missing).toBeGreaterThan(0);
  expect((await readRecord(web.folder, 2))?.totals.missed).toBeGreaterThanOrEqual(missing);
  expect((await readRecord(web.folder, 1))?.endTime).toBeUndefined();
});

test('a rolling update misses none of 500 datagrams/s: the captures overlap, and podcap read writes each datagram once', async ({
  cluster,
}) => {
  await using output = await temporaryFolder();
  const web = await sendingPod(cluster, { name: 'rolled', ...fast });
  await waitForDatagrams(web.folder, 500);
  const agent = await agentOn('node1');
  await restartAgents();
  expect(await agentOn('node1')).not.toBe(agent);
  await waitForTcpdumps([web]);
  await waitForDatagrams(web.folder, 500, { after: 1 });
  await deleteSendingPod(cluster, web);

  const { before, after } = await twoGenerationsOf(web.folder);
  // Both captured for a moment.
  const inBoth = before.last - after.first + 1;
  expect(inBoth).toBeGreaterThan(50);
  const totals = (await readRecord(web.folder, 2))?.totals;
  expect(totals).toMatchObject({ missed: 0, dropped: 0, lostAtStop: 0 });
  // ARP is in both as well.
  expect(totals?.duplicated).toBeGreaterThanOrEqual(inBoth);

  const path = join(output.path, 'rolled.pcap');
  await writeFile(path, await readBack(web));
  expect(await capturedNumbers(path)).toEqual(range(before.first, after.last - before.first + 1));
});

test('agents that return delete what was unannotated meanwhile, and keep the files of a Pod that was deleted', async ({
  cluster,
  receiver,
}) => {
  const [unwanted, gone, stays] = [
    await capturedPod(cluster, 'unwanted'),
    await capturedPod(cluster, 'gone'),
    await capturedPod(cluster, 'stays'),
  ];
  for (const pod of [unwanted, gone, stays]) await sendCaptured(cluster, pod, { receiver });
  await patchAgents({ template: { spec: { nodeSelector: { 'podcap.dev/away': 'yes' } } } });
  try {
    await until(async () => (await agentPods()).length === 0, { what: 'no agent', deadlineMs: 60_000 });
    expect(await tcpdumpsOf(stays)).toEqual([]);
    await cluster.annotate('unwanted', null);
    await cluster.delete('gone', '--grace-period=1');
    expect(await captureFolder(unwanted)).toBe(unwanted.folder);
  } finally {
    await patchAgents({ template: { spec: { nodeSelector: { 'podcap.dev/away': null } } } });
  }
  await waitForFoldersDeleted([unwanted]);
  await waitForTcpdumps([stays]);
  await waitForGeneration(stays.folder, 2);
  expect(await sendCaptured(cluster, stays, { receiver, first: 100 })).toEqual([
    ...range(0, 50),
    ...range(100, 50),
  ]);
  expect(await numbersIn(gone.folder)).toEqual(range(0, 50));
});

async function agentPods(): Promise<string[]> {
  const names = await kubectl('-n', 'kube-system', 'get', 'pods', '-l', 'app=packet-capture', '-o', 'name');
  return names.split('\n').filter((name) => name !== '');
}

/** The first and the last datagram of the captures before and after a restart of the agent, both without a gap. */
async function twoGenerationsOf(folder: string) {
  const packets = await packetsIn(folder);
  const endsOf = (n: number) =>
    expectConsecutive(numbersOf(packets.filter(({ generation }) => generation === n)));
  return { before: endsOf(1), after: endsOf(2) };
}
