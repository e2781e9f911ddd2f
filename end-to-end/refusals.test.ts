import { afterAll, beforeAll, expect, test } from 'vitest';
import { captureAnnotation } from '../src/agent/planner/annotations.ts';
import { numbersOf, packetsIn } from './support/captured-packets.ts';
import { capturedPod } from './support/captured-pod.ts';
import { idle, receiver } from './support/pod-manifests.ts';
import {
  captureFolder,
  type RunningPod,
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

const filter = 'podcap.dev/filter';

const notAllowed = [
  [captureAnnotation, '0', 'must be a whole number of capture files from 1 to 100'],
  [captureAnnotation, '5.0', 'must be a whole number of capture files from 1 to 100'],
  [captureAnnotation, '101', 'must be a whole number of capture files from 1 to 100'],
  ['podcap.dev/file-size', '1M', 'must be a whole number of megabytes from 1 to 100'],
  ['podcap.dev/interface', 'any', 'must be the name of one interface of the Pod'],
  [filter, '', 'must be a pcap-filter(7) expression of 1 to 2048 bytes'],
  ['podcap.dev/snaplen', '63', 'must be a whole number of bytes from 64 to 262144'],
  ['podcap.dev/duration', '10', 'must be a duration from 1s to 168h, such as 90s, 10m or 1h30m'],
] as const;

test('each annotation with a value that is not allowed is refused by an Event that names both, and nothing runs', async () => {
  await cluster.create(idle({ name: 'wrong', node: 'node1' }));
  const wrong = await cluster.running('wrong');
  for (const [key, value, allowed] of notAllowed) {
    await cluster.annotate('wrong', { [captureAnnotation]: '5', [key]: value });
    const refused = await cluster.event(wrong.uid, 'InvalidAnnotation', `${key}=${JSON.stringify(value)}`);
    expect(refused.type).toBe('Warning');
    expect(refused.message).toContain(`annotation ${key}=${JSON.stringify(value)}: ${allowed}`);
    expect(await captureFolder(wrong)).toBeUndefined();
    await cluster.annotate('wrong', { [captureAnnotation]: null, [key]: null });
  }
  expect((await cluster.events(wrong.uid)).map(({ reason }) => reason)).not.toContain('CaptureStarted');
});

test('5 Pods with the network of their Node are refused', async () => {
  const names = run(0, 5).map((i) => `host-${i}`);
  const spec = { hostNetwork: true };
  await Promise.all(names.map((name) => cluster.create(idle({ name, annotation: '5', spec }))));
  for (const name of names) {
    const host = await cluster.running(name);
    expect(await cluster.event(host.uid, 'HostNetwork')).toMatchObject({
      type: 'Warning',
      message: expect.stringContaining('the Pod uses the host network'),
    });
    expect(await captureFolder(host)).toBeUndefined();
  }
});

test('a value that is refused ends the capture and leaves its files, and the next one that is allowed goes on in new ones', async () => {
  const web = await capturedPod(cluster, 'web');
  await cluster.send('web', { to: target.ip, count: 50 });
  await untilLast(web.folder, 49);

  await cluster.annotate('web', 'five');
  await cluster.event(web.uid, 'InvalidAnnotation', '"five"');
  expect(await tcpdumpsOf(web)).toEqual([]);
  await cluster.send('web', { to: target.ip, first: 50, count: 50 });
  expect(numbersOf(await packetsIn(web.folder))).toEqual(run(0, 50));

  await cluster.annotate('web', '6');
  await cluster.event(web.uid, 'CaptureStarted', 'the last 6 files');
  await cluster.send('web', { to: target.ip, first: 100, count: 50 });
  await untilLast(web.folder, 149);
  const packets = await packetsIn(web.folder);
  expect(numbersOf(packets.filter(({ generation }) => generation === 1))).toEqual(run(0, 50));
  expect(numbersOf(packets.filter(({ generation }) => generation === 2))).toEqual(run(100, 50));
});

test('a filter that tcpdump does not take, or that would ask for a name, is refused, and a running capture ends', async () => {
  const web = await capturedPod(cluster, 'filtered');
  await cluster.send('filtered', { to: target.ip, count: 50 });
  await untilLast(web.folder, 49);
  for (const wrong of ['udp prot 9000', 'host example.com', '-z /bin/true']) {
    await cluster.annotate('filtered', { [filter]: wrong });
    const refused = await cluster.event(web.uid, 'InvalidFilter', JSON.stringify(wrong));
    expect(refused.type).toBe('Warning');
    expect(await tcpdumpsOf(web)).toEqual([]);
  }
  await cluster.annotate('filtered', { [filter]: 'udp port 9000' });
  await cluster.event(web.uid, 'CaptureStarted', 'filter "udp port 9000"');
  await cluster.send('filtered', { to: target.ip, first: 100, count: 50 });
  expect(await untilLast(web.folder, 149)).toEqual([...run(0, 50), ...run(100, 50)]);
});

test('an interface that the Pod does not have is refused, until another one is asked for', async () => {
  await cluster.create(
    idle({
      name: 'elsewhere',
      node: 'node1',
      annotation: '5',
      annotations: { 'podcap.dev/interface': 'net7' },
    }),
  );
  const elsewhere = await cluster.running('elsewhere');
  expect(await cluster.event(elsewhere.uid, 'NoSuchInterface')).toMatchObject({
    type: 'Warning',
    message: expect.stringContaining('the Pod has no interface net7'),
  });
  expect(await tcpdumpsOf(elsewhere)).toEqual([]);

  await cluster.annotate('elsewhere', { 'podcap.dev/interface': null });
  await cluster.event(elsewhere.uid, 'CaptureStarted', 'capturing eth0');
  await cluster.send('elsewhere', { to: target.ip, count: 50 });
  expect(await untilLast(await untilFolder(elsewhere), 49)).toEqual(run(0, 50));
});

test('a ring larger than the budget of the Node is refused, until it asks for less', async () => {
  await cluster.create(
    idle({
      name: 'large',
      node: 'node1',
      annotation: '100',
      annotations: { 'podcap.dev/file-size': '100' },
    }),
  );
  const large = await cluster.running('large');
  expect(await cluster.event(large.uid, 'OverBudget')).toMatchObject({
    type: 'Warning',
    message:
      'the capture may use 10108 MB, but all captures on this Node together may use 10000 MB: ask for fewer files, or wait until other captures end',
  });
  expect(await tcpdumpsOf(large)).toEqual([]);

  await cluster.annotate('large', '2');
  await cluster.event(large.uid, 'CaptureStarted', 'the last 2 files of 100 MB');
  await cluster.send('large', { to: target.ip, count: 50 });
  expect(await untilLast(await untilFolder(large), 49)).toEqual(run(0, 50));
});
