import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { tsharkField } from '../src/pcap/testing/tshark-field.ts';
import { datagramNumber } from '../src/testbed/datagrams.ts';
import { run } from '../src/testbed/run-program.ts';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { capturedPod, sendCaptured } from './support/captured-pod.ts';
import { test } from './support/cluster-test.ts';
import { range } from './support/consecutive.ts';
import type { RunningPod } from './support/namespace-pods.ts';
import { waitForCaptureFolder } from './support/node-captures.ts';
import { sidecar, withSidecar } from './support/pod-manifests.ts';
import { processesOf, tcpdumpsOf, waitForTcpdumps } from './support/pod-processes.ts';
import { readBack, waitForListedState } from './support/read-back.ts';
import { waitForDatagrams } from './support/ring-contents.ts';

const both = { 'podcap.dev/interface': 'eth0,lo' };

test('of a Pod with a sidecar, the traffic between the two is on lo, and what the sidecar sends on eth0', async ({
  cluster,
  receiver,
}) => {
  const { address: to, port } = receiver;
  const meshed = await cluster.start(
    withSidecar({ name: 'meshed', node: 'node1', annotation: '5', annotations: both, to, port }),
  );
  expect(await cluster.event(meshed.uid, 'CaptureStarted')).toMatchObject({
    type: 'Normal',
    message: expect.stringMatching(
      /^capturing eth0 and lo, keeping the last 5 files of 1 MB of each on node1; /,
    ),
  });
  await redirect(meshed, port);
  await waitForProxy(meshed);
  await cluster.send('meshed', { to, port, count: 200 });
  // Each is in the ring of eth0, and in that of lo.
  await waitForDatagrams(await waitForCaptureFolder(meshed), 399);

  await using output = await temporaryFolder();
  const path = join(output.path, 'meshed.pcapng');
  await writeFile(path, await readBack(meshed, 'pcapng'));
  const name = `${cluster.namespace}/meshed`;
  expect(await numbersOn(path, `${name}/lo`, sidecar.port)).toEqual(range(0, 200));
  expect(await numbersOn(path, `${name}/eth0`, port)).toEqual(range(0, 200));
  expect(await numbersOn(path, `${name}/eth0`, sidecar.port)).toEqual([]);
  const interfaces = await run(['capinfos', path]);
  expect(interfaces).toContain('Number of interfaces in file: 2');
});

test('an interface that the Pod does not have is refused alone, and captured once it appears', async ({
  cluster,
  receiver,
}) => {
  const web = await cluster.start(
    withSidecar({
      name: 'partly',
      node: 'node1',
      annotation: '5',
      annotations: { 'podcap.dev/interface': 'eth0,net1' },
      to: receiver.address,
      port: receiver.port,
    }),
  );
  const refused = await cluster.event(web.uid, 'NoSuchInterface');
  expect(refused).toMatchObject({
    type: 'Warning',
    message: expect.stringMatching(
      /^the Pod has no interface net1; the agent checks again every 30 s; capturing eth0, keeping /,
    ),
  });
  const listed = await waitForListedState(web, { state: 'capturing', reason: 'NoSuchInterface' });
  expect(listed.message).toBe('the Pod has no interface net1; the agent checks again every 30 s');
  const folder = await waitForCaptureFolder(web);
  expect(await sendCaptured(cluster, { name: 'partly', folder }, { receiver })).toEqual(range(0, 50));
  await inNetworkOf(web, 'ip', 'link', 'add', 'net1', 'up', 'type', 'veth', 'peer', 'name', 'net2');
  const isCaptured = async () =>
    (await cluster.events(web.uid)).some(({ message }) => message.startsWith('capturing eth0 and net1'));
  await until(isCaptured, { what: 'the Event that net1 is captured', deadlineMs: 60_000 });
  await waitForTcpdumps([web], { count: 2 });
});

test('an interface that is added, and removed, leaves the tcpdump of the other one alone', async ({
  cluster,
  receiver,
}) => {
  const web = await capturedPod(cluster, 'added');
  const [first] = await tcpdumpsOf(web);
  await cluster.annotate('added', both);
  await cluster.event(web.uid, 'CaptureStarted', 'capturing eth0 and lo');
  expect(await tcpdumpsOf(web)).toHaveLength(2);
  expect(await sendCaptured(cluster, web, { receiver })).toEqual(range(0, 50));
  await cluster.annotate('added', { 'podcap.dev/interface': null });
  await waitForTcpdumps([web]);
  expect(await tcpdumpsOf(web)).toEqual([first]);
});

/** Redirects the datagrams to that port to the proxy, except the proxy's own, as a service mesh does. */
async function redirect(pod: RunningPod, port: number): Promise<void> {
  const rule = `meta skuid != ${sidecar.userId} udp dport ${port} redirect to :${sidecar.port}`;
  const chain = `chain output { type nat hook output priority -100; ${rule}; }`;
  await inNetworkOf(pod, 'nft', `table ip mesh { ${chain}; }`);
}

async function waitForProxy(pod: RunningPod): Promise<void> {
  const listens = async () =>
    (await inNetworkOf(pod, 'ss', '-Hlun', `sport = ${sidecar.port}`)).trim() !== '';
  await until(listens, { what: 'the proxy to listen', deadlineMs: 30_000 });
}

async function inNetworkOf(pod: RunningPod, ...command: readonly string[]): Promise<string> {
  const [pid] = await processesOf(pod.uid, 'sleep');
  return await run(['nsenter', `--net=/proc/${pid}/ns/net`, ...command]);
}

/** The numbers of the datagrams to that port which passed that interface, in the order of the file. */
async function numbersOn(path: string, interfaceName: string, port: number): Promise<number[]> {
  const filter = `frame.interface_name == "${interfaceName}" && udp.dstport == ${port} && !icmp`;
  const payloads = await tsharkField(path, 'udp.payload', filter);
  return payloads.flatMap((hex) => datagramNumber(Buffer.from(hex, 'hex')) ?? []);
}
