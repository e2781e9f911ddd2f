import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readRecord } from '../src/agent/storage/capture-records.ts';
import { capturedNumbers } from '../src/testbed/captured-numbers.ts';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { until } from '../src/testbed/until.ts';
import { patchAgents, restartAgents } from './support/agent-daemonset.ts';
import { numbersOf, packetsIn } from './support/captured-packets.ts';
import { capturedPod } from './support/captured-pod.ts';
import { receiver, sender } from './support/pod-manifests.ts';
import { processesOf } from './support/pod-processes.ts';
import { readBack } from './support/read-back.ts';
import {
  agentOn,
  captureFolder,
  kubectl,
  numbersIn,
  type RunningPod,
  ringFiles,
  run,
  type TestCluster,
  tcpdumpsOf,
  testCluster,
  untilFolder,
  untilLast,
} from './support/test-cluster.ts';

let cluster: TestCluster;
let target: RunningPod;

beforeAll(async () => {
  cluster = await testCluster();
  await cluster.create(receiver({ name: 'receiver', node: 'node2' }));
  target = await cluster.running('receiver');
});
afterAll(() => cluster[Symbol.asyncDispose]());

test('an agent that is killed takes its tcpdumps with it; the next goes on at once, keeps the old files and tells the gap', async () => {
  const web = await sending('web', 500);
  await until(async () => (await ringFiles(web.folder)).length >= 2, { what: '2 files', deadlineMs: 30_000 });
  const [tcpdump] = await tcpdumpsOf(web);
  const agent = await agentOn('node1');
  const [pid] = await processesOf(await uidOfAgent(agent), 'node');
  if (pid === undefined || tcpdump === undefined) throw new Error('no agent and no tcpdump');

  process.kill(pid, 'SIGKILL');
  await until(async () => !(await tcpdumpsOf(web)).includes(tcpdump), { what: 'its tcpdump to be gone' });
  const left = await digests(web.folder);
  await until(async () => (await tcpdumpsOf(web)).length === 1, {
    what: 'the next tcpdump',
    // The kubelet starts the container again at once, the first time.
    deadlineMs: 30_000,
  });
  expect(await agentOn('node1')).toBe(agent);
  await until(async () => (await generationsIn(web.folder)).includes(2), { what: 'its files' });
  await until(async () => (await lengthOf(web.folder, 2)) > 500, { what: 'datagrams in them' });
  // The gap is settled at the end of the capture, or after half a minute.
  await cluster.delete('web', '--grace-period=1');
  await cluster.event(web.uid, 'CaptureStopped');

  expect(await digests(web.folder)).toMatchObject(left);
  const packets = await packetsIn(web.folder);
  const [before, after] = [1, 2].map((n) => numbersOf(packets.filter(({ generation }) => generation === n)));
  const missing = endsOfUnbroken(after ?? []).first - endsOfUnbroken(before ?? []).last - 1;
  expect(missing).toBeGreaterThan(0);
  const told = (await readRecord(web.folder, 2))?.totals.missed;
  expect(told).toBeGreaterThanOrEqual(missing);
  expect((await readRecord(web.folder, 1))?.endTime).toBeUndefined();
});

test('a rolling update under 500 datagrams/s: none is missing, the captures overlap, and podcap read gives each once', async () => {
  await using output = await temporaryFolder();
  const web = await sending('rolled', 500);
  await until(async () => (await numbersIn(web.folder)).length > 500, { what: 'a second of datagrams' });
  const before = await agentOn('node1');
  await restartAgents();
  expect(await agentOn('node1')).not.toBe(before);
  await until(async () => (await tcpdumpsOf(web)).length === 1, { what: 'one tcpdump' });
  await until(async () => (await lengthOf(web.folder, 2)) > 500, { what: 'a second of datagrams after it' });
  await cluster.delete('rolled', '--grace-period=1');
  await cluster.event(web.uid, 'CaptureStopped');

  const packets = await packetsIn(web.folder);
  const [old, next] = [1, 2].map((n) =>
    endsOfUnbroken(numbersOf(packets.filter(({ generation }) => generation === n))),
  );
  // Both captured for a moment.
  const inBoth = (old?.last ?? 0) - (next?.first ?? 0) + 1;
  expect(inBoth).toBeGreaterThan(50);
  const totals = (await readRecord(web.folder, 2))?.totals;
  expect(totals).toMatchObject({ missed: 0, dropped: 0, lostAtStop: 0 });
  // ARP stands in both as well.
  expect(totals?.duplicated).toBeGreaterThanOrEqual(inBoth);

  const path = join(output.path, 'rolled.pcap');
  await writeFile(path, await readBack(web));
  const numbers = await capturedNumbers(path);
  expect(numbers).toEqual(run(old?.first ?? 0, (next?.last ?? 0) - (old?.first ?? 0) + 1));
});

test('while the agents were away one annotation was removed and one Pod deleted: the folder of the first goes, the other stays', async () => {
  const [unwanted, gone, goesOn] = [
    await capturedPod(cluster, 'unwanted'),
    await capturedPod(cluster, 'gone'),
    await capturedPod(cluster, 'goes-on'),
  ];
  for (const { name, folder } of [unwanted, gone, goesOn]) {
    await cluster.send(name, { to: target.ip, count: 50 });
    await untilLast(folder, 49);
  }
  await patchAgents({ template: { spec: { nodeSelector: { 'podcap.dev/away': 'yes' } } } });
  try {
    await until(async () => (await agents()).length === 0, { what: 'no agent', deadlineMs: 60_000 });
    expect(await tcpdumpsOf(goesOn)).toEqual([]);
    await cluster.annotate('unwanted', null);
    await cluster.delete('gone', '--grace-period=1');
    expect(await captureFolder(unwanted)).toBe(unwanted.folder);
  } finally {
    await patchAgents({ template: { spec: { nodeSelector: { 'podcap.dev/away': null } } } });
  }
  await until(async () => (await captureFolder(unwanted)) === undefined, { what: 'the folder to be swept' });
  await until(async () => (await tcpdumpsOf(goesOn)).length === 1, { what: 'the capture that goes on' });
  await until(async () => (await generationsIn(goesOn.folder)).includes(2), { what: 'its file' });
  await cluster.send('goes-on', { to: target.ip, first: 100, count: 50 });
  expect(await untilLast(goesOn.folder, 149)).toEqual([...run(0, 50), ...run(100, 50)]);
  expect(await numbersIn(gone.folder)).toEqual(run(0, 50));
});

/** A Pod that sends all the time, each datagram of a kilobyte. */
async function sending(name: string, rate: number) {
  await cluster.create(sender({ name, node: 'node1', to: target.ip, rate, bytes: 1_000, annotation: '100' }));
  const pod = await cluster.running(name);
  await cluster.event(pod.uid, 'CaptureStarted');
  return { ...pod, folder: await untilFolder(pod) };
}

async function agents(): Promise<string[]> {
  const names = await kubectl('-n', 'kube-system', 'get', 'pods', '-l', 'app=packet-capture', '-o', 'name');
  return names.split('\n').filter((name) => name !== '');
}

async function uidOfAgent(name: string): Promise<string> {
  return await kubectl('-n', 'kube-system', 'get', 'pod', name, '-o', 'jsonpath={.metadata.uid}');
}

async function generationsIn(folder: string): Promise<number[]> {
  return [...new Set((await ringFiles(folder)).map(({ generation }) => generation))];
}

/** How many numbered datagrams that generation has. */
async function lengthOf(folder: string, generation: number): Promise<number> {
  const files = (await ringFiles(folder)).filter((file) => file.generation === generation);
  const numbers = await Promise.all(files.map(({ name }) => capturedNumbers(join(folder, name))));
  return numbers.flat().length;
}

/** The content of each capture file, by its name. */
async function digests(folder: string): Promise<Record<string, string>> {
  const entries = (await ringFiles(folder)).map(async ({ name }) => {
    const content = await readFile(join(folder, name));
    return [name, createHash('sha256').update(content).digest('hex')] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** The first and the last of a run without a gap. */
function endsOfUnbroken(numbers: readonly number[]): { first: number; last: number } {
  const [first = Number.NaN] = numbers;
  expect(numbers).toEqual(run(first, numbers.length));
  return { first, last: first + numbers.length - 1 };
}
