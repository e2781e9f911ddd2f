import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run as execute } from '../src/testbed/run-program.ts';
import { until } from '../src/testbed/until.ts';
import { numbersOf, packetsIn } from './support/captured-packets.ts';
import { capturedPod } from './support/captured-pod.ts';
import { receiver } from './support/pod-manifests.ts';
import { nodeProcess, processesOf } from './support/pod-processes.ts';
import {
  type RunningPod,
  ringFiles,
  run,
  type TestCluster,
  tcpdumpsOf,
  testCluster,
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

test('with a filter only what matches is in the files, and a changed one counts from its Event on', async () => {
  const web = await capturedPod(cluster, 'filtered', {
    annotations: { 'podcap.dev/filter': 'udp dst port 9000' },
  });
  const sendBoth = async (first: number) => {
    await cluster.send('filtered', { to: target.ip, port: 9_001, first: first + 500, count: 50 });
    await cluster.send('filtered', { to: target.ip, port: 9_000, first, count: 50 });
    await cluster.send('filtered', { to: target.ip, port: 9_001, first: first + 550, count: 50 });
  };
  await sendBoth(0);
  await untilLast(web.folder, 49);
  await cluster.annotate('filtered', { 'podcap.dev/filter': 'udp dst port 9001' });
  await cluster.event(web.uid, 'CaptureStarted', 'filter "udp dst port 9001"');
  // The one before goes on for a moment.
  await until(async () => (await tcpdumpsOf(web)).length === 1, { what: 'one tcpdump' });
  await sendBoth(1_000);
  await untilLast(web.folder, 1_599);

  const packets = await packetsIn(web.folder);
  const [before, after] = [1, 2].map((n) => packets.filter(({ generation }) => generation === n));
  expect(numbersOf(before ?? [])).toEqual(run(0, 50));
  expect(before?.every(({ port }) => port === 9_000)).toBe(true);
  expect(numbersOf(after ?? [])).toEqual(run(1_500, 100));
  expect(after?.every(({ port }) => port === 9_001)).toBe(true);
});

test('with a snaplen so many bytes of each packet are in the files, and how many it had', async () => {
  const web = await capturedPod(cluster, 'short', { annotations: { 'podcap.dev/snaplen': '64' } });
  await cluster.send('short', { to: target.ip, count: 50, bytes: 500 });
  await untilLast(web.folder, 49);
  const packets = await packetsIn(web.folder);
  const numbered = packets.filter(({ number }) => number !== undefined);
  // Ethernet, IPv4 and UDP take 42.
  expect(numbered.map(({ originalBytes }) => originalBytes)).toEqual(run(0, 50).map(() => 542));
  expect(Math.max(...packets.map(({ capturedBytes }) => capturedBytes))).toBe(64);
});

test('with a file size the next file begins there', async () => {
  const web = await capturedPod(cluster, 'large-files', { annotations: { 'podcap.dev/file-size': '2' } });
  await cluster.send('large-files', { to: target.ip, count: 2_000, bytes: 1_400 });
  expect(await untilLast(web.folder, 1_999)).toEqual(run(0, 2_000));
  const [first = '', ...others] = (await ringFiles(web.folder)).map(({ name }) => join(web.folder, name));
  expect(others).toHaveLength(1);
  const { size } = await stat(first);
  expect(size).toBeGreaterThan(1_998_000);
  expect(size).toBeLessThan(2_070_000);
});

test('on lo what the Pod says to itself is in the files, and nothing that goes out', async () => {
  const web = await capturedPod(cluster, 'inward', { annotations: { 'podcap.dev/interface': 'lo' } });
  await cluster.send('inward', { to: target.ip, first: 1_000, count: 50 });
  await cluster.send('inward', { to: '127.0.0.1', count: 50 });
  await untilLast(web.folder, 49);
  const packets = await packetsIn(web.folder);
  expect(numbersOf(packets)).toEqual(run(0, 50));
  expect(packets.every(({ destination }) => destination === undefined || destination === '127.0.0.1')).toBe(
    true,
  );

  await cluster.annotate('inward', 'none');
  const stopped = await cluster.event(web.uid, 'CaptureStopped');
  expect(stopped.message).toContain(
    `packets captured: ${packets.length}, dropped by kernel: 0, lost at stop: 0, pruned: 0, missed: 0`,
  );
});

test.each(run(0, 5))(
  'on a second interface of the Pod what passes there is in the files, once the interface is there (%d)',
  async (i) => {
    const name = `two-networks-${i}`;
    const web = await capturedPod(cluster, name);
    await addInterface(web, { name: 'net1', address: '198.51.100.2/24', peerAddress: '198.51.100.1/24' });
    await cluster.annotate(name, { 'podcap.dev/interface': 'net1' });
    await cluster.event(web.uid, 'CaptureStarted', 'capturing net1');
    await until(async () => (await tcpdumpsOf(web)).length === 1, { what: 'one tcpdump' });
    await cluster.send(name, { to: target.ip, first: 1_000, count: 50 });
    await cluster.send(name, { to: '198.51.100.1', count: 50 });
    await untilLast(web.folder, 49);
    const packets = (await packetsIn(web.folder)).filter(({ generation }) => generation === 2);
    expect(numbersOf(packets)).toEqual(run(0, 50));
    expect(packets.flatMap(({ destination }) => destination ?? [])).not.toContain(target.ip);
  },
);

test('with a duration the capture ends by itself, and its files stay', async () => {
  const web = await capturedPod(cluster, 'for-a-while', { annotations: { 'podcap.dev/duration': '4s' } });
  await cluster.send('for-a-while', { to: target.ip, count: 50 });
  const stopped = await cluster.event(
    web.uid,
    'CaptureStopped',
    'the duration is over, the capture files are kept',
  );
  expect(stopped.type).toBe('Normal');
  expect(await tcpdumpsOf(web)).toEqual([]);
  await cluster.send('for-a-while', { to: target.ip, first: 100, count: 50 });
  expect(numbersOf(await packetsIn(web.folder))).toEqual(run(0, 50));

  // It counts from the first capture on: a longer one goes on for the rest.
  await cluster.annotate('for-a-while', { 'podcap.dev/duration': '1h' });
  await until(async () => (await tcpdumpsOf(web)).length === 1, { what: 'the next tcpdump' });
  await until(async () => (await ringFiles(web.folder)).some(({ generation }) => generation === 2), {
    what: 'its file',
  });
});

/** As a second CNI network would give it: a veth pair between the Pod and its Node, which goes with the Pod. */
async function addInterface(
  pod: RunningPod,
  { name, address, peerAddress }: { name: string; address: string; peerAddress: string },
): Promise<void> {
  const [pid] = await processesOf(pod.uid, 'sleep');
  const nodePid = nodeProcess(pod.node);
  const ip = (process: number | undefined, ...args: readonly string[]) =>
    execute(['nsenter', `--net=/proc/${process}/ns/net`, 'ip', ...args]);
  const peer = `peer${pid}`;
  await ip(pid, 'link', 'add', name, 'type', 'veth', 'peer', 'name', peer, 'netns', `${nodePid}`);
  await ip(pid, 'address', 'add', address, 'dev', name);
  await ip(pid, 'link', 'set', name, 'up');
  await ip(nodePid, 'address', 'add', peerAddress, 'dev', peer);
  await ip(nodePid, 'link', 'set', peer, 'up');
}
