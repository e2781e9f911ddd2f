import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { run } from '../src/testbed/run-program.ts';
import { numbersOf, packetsIn } from './support/captured-packets.ts';
import { capturedPod, sendCaptured } from './support/captured-pod.ts';
import { test } from './support/cluster-test.ts';
import { range } from './support/consecutive.ts';
import type { RunningPod } from './support/namespace-pods.ts';
import { nodeProcess, processesOf, tcpdumpsOf, waitForTcpdumps } from './support/pod-processes.ts';
import { ringFiles, waitForGeneration, waitForLastDatagram } from './support/ring-contents.ts';

test('captures only what the filter matches, and applies a changed filter from its Event on', async ({
  cluster,
  receiver,
}) => {
  const { address: to, port } = receiver;
  const otherPort = port + 1;
  const web = await capturedPod(cluster, 'filtered', {
    annotations: { 'podcap.dev/filter': `udp dst port ${port}` },
  });
  const sendBoth = async (first: number) => {
    await cluster.send('filtered', { to, port: otherPort, first: first + 500, count: 50 });
    await cluster.send('filtered', { to, port, first, count: 50 });
    await cluster.send('filtered', { to, port: otherPort, first: first + 550, count: 50 });
  };
  await sendBoth(0);
  await waitForLastDatagram(web.folder, 49);
  await cluster.annotate('filtered', { 'podcap.dev/filter': `udp dst port ${otherPort}` });
  await cluster.event(web.uid, 'CaptureStarted', `filter "udp dst port ${otherPort}"`);
  // The previous capture continues for a moment.
  await waitForTcpdumps([web]);
  await sendBoth(1_000);
  await waitForLastDatagram(web.folder, 1_599);

  const packets = await packetsIn(web.folder);
  const [before, after] = [1, 2].map((n) => packets.filter(({ generation }) => generation === n));
  expect(numbersOf(before ?? [])).toEqual(range(0, 50));
  expect(before?.every((packet) => packet.port === port)).toBe(true);
  expect(numbersOf(after ?? [])).toEqual(range(1_500, 100));
  expect(after?.every((packet) => packet.port === otherPort)).toBe(true);
});

test('with a snaplen, captures that many bytes of each packet and its original length', async ({
  cluster,
  receiver,
}) => {
  const web = await capturedPod(cluster, 'short', { annotations: { 'podcap.dev/snaplen': '64' } });
  await sendCaptured(cluster, web, { receiver, bytes: 500 });
  const packets = await packetsIn(web.folder);
  const numbered = packets.filter(({ number }) => number !== undefined);
  // Ethernet, IPv4 and UDP take 42.
  expect(numbered.map(({ originalBytes }) => originalBytes)).toEqual(range(0, 50).map(() => 542));
  expect(Math.max(...packets.map(({ capturedBytes }) => capturedBytes))).toBe(64);
});

test('with a file size, starts the next file at that size', async ({ cluster, receiver }) => {
  const web = await capturedPod(cluster, 'large-files', { annotations: { 'podcap.dev/file-size': '2' } });
  expect(await sendCaptured(cluster, web, { receiver, count: 2_000, bytes: 1_400 })).toEqual(range(0, 2_000));
  const [first = '', ...others] = (await ringFiles(web.folder)).map(({ name }) => join(web.folder, name));
  expect(others).toHaveLength(1);
  const { size } = await stat(first);
  expect(size).toBeGreaterThan(1_998_000);
  expect(size).toBeLessThan(2_070_000);
});

test('on lo, captures what the Pod sends to itself, and nothing that leaves the Pod', async ({
  cluster,
  receiver,
}) => {
  const { address: to, port } = receiver;
  const web = await capturedPod(cluster, 'inward', { annotations: { 'podcap.dev/interface': 'lo' } });
  await cluster.send('inward', { to, port, first: 1_000, count: 50 });
  await cluster.send('inward', { to: '127.0.0.1', port, count: 50 });
  await waitForLastDatagram(web.folder, 49);
  const packets = await packetsIn(web.folder);
  expect(numbersOf(packets)).toEqual(range(0, 50));
  expect(packets.every(({ destination }) => destination === undefined || destination === '127.0.0.1')).toBe(
    true,
  );

  await cluster.annotate('inward', 'none');
  const stopped = await cluster.event(web.uid, 'CaptureStopped');
  expect(stopped.message).toContain(
    `packets captured: ${packets.length}, dropped by kernel: 0, lost at stop: 0, pruned: 0, missed: 0`,
  );
});

test.for(range(0, 5))(
  'captures what passes on a second interface of the Pod, once that interface exists (%d)',
  async (i, { cluster, receiver }) => {
    const { address, port } = receiver;
    const name = `two-networks-${i}`;
    const web = await capturedPod(cluster, name);
    await addInterface(web, { name: 'net1', address: '198.51.100.2/24', peerAddress: '198.51.100.1/24' });
    await cluster.annotate(name, { 'podcap.dev/interface': 'net1' });
    await cluster.event(web.uid, 'CaptureStarted', 'capturing net1');
    await waitForTcpdumps([web]);
    await cluster.send(name, { to: address, port, first: 1_000, count: 50 });
    await cluster.send(name, { to: '198.51.100.1', port, count: 50 });
    await waitForLastDatagram(web.folder, 49);
    const packets = (await packetsIn(web.folder)).filter(({ generation }) => generation === 2);
    expect(numbersOf(packets)).toEqual(range(0, 50));
    expect(packets.flatMap(({ destination }) => destination ?? [])).not.toContain(address);
  },
);

test('with a duration, the capture ends by itself and its files are kept', async ({ cluster, receiver }) => {
  const { address: to, port } = receiver;
  const web = await capturedPod(cluster, 'for-a-while', { annotations: { 'podcap.dev/duration': '4s' } });
  await cluster.send('for-a-while', { to, port, count: 50 });
  const stopped = await cluster.event(
    web.uid,
    'CaptureStopped',
    'the duration is over, the capture files are kept',
  );
  expect(stopped.type).toBe('Normal');
  expect(await tcpdumpsOf(web)).toEqual([]);
  await cluster.send('for-a-while', { to, port, first: 100, count: 50 });
  expect(numbersOf(await packetsIn(web.folder))).toEqual(range(0, 50));

  // The duration counts from the first capture on: after a longer one is set, it continues for the rest.
  await cluster.annotate('for-a-while', { 'podcap.dev/duration': '1h' });
  await waitForTcpdumps([web]);
  await waitForGeneration(web.folder, 2);
});

/** Adds what a second CNI network would: a veth pair between the Pod and its Node, which is deleted with the Pod. */
async function addInterface(
  pod: RunningPod,
  { name, address, peerAddress }: { name: string; address: string; peerAddress: string },
): Promise<void> {
  const [pid] = await processesOf(pod.uid, 'sleep');
  const nodePid = nodeProcess(pod.node);
  const ip = (process: number | undefined, ...args: readonly string[]) =>
    run(['nsenter', `--net=/proc/${process}/ns/net`, 'ip', ...args]);
  const peer = `peer${pid}`;
  await ip(pid, 'link', 'add', name, 'type', 'veth', 'peer', 'name', peer, 'netns', `${nodePid}`);
  await ip(pid, 'address', 'add', address, 'dev', name);
  await ip(pid, 'link', 'set', name, 'up');
  await ip(nodePid, 'address', 'add', peerAddress, 'dev', peer);
  await ip(nodePid, 'link', 'set', peer, 'up');
}
