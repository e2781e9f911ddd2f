import { expect } from 'vitest';
import { captureAnnotation } from '../src/agent/planner/annotations.ts';
import { until } from '../src/base/until.ts';
import { numbersOf, packetsIn } from './support/captured-packets.ts';
import { capturedPod, expectCaptured, expectRefused, sendCaptured } from './support/captured-pod.ts';
import { test } from './support/cluster-test.ts';
import { range } from './support/consecutive.ts';
import { captureFolder } from './support/node-captures.ts';
import { idle } from './support/pod-manifests.ts';
import { tcpdumpsOf } from './support/pod-processes.ts';
import { listedState } from './support/read-back.ts';

const filter = 'podcap.dev/filter';

const notAllowed = [
  [captureAnnotation, '0', 'must be a whole number of capture files from 1 to 100'],
  [captureAnnotation, '5.0', 'must be a whole number of capture files from 1 to 100'],
  [captureAnnotation, '101', 'must be a whole number of capture files from 1 to 100'],
  ['podcap.dev/file-size', '1M', 'must be a whole number of megabytes from 1 to 100'],
  [
    'podcap.dev/interface',
    'any',
    "must be the names of 1 to 4 interfaces of the Pod, such as eth0 or eth0,lo, but not 'any'",
  ],
  [filter, '', 'must be a pcap-filter(7) expression of 1 to 2048 bytes'],
  ['podcap.dev/snaplen', '63', 'must be a whole number of bytes from 64 to 262144'],
  ['podcap.dev/duration', '10', 'must be a duration from 1s to 168h, such as 90s, 10m or 1h30m'],
] as const;

test('refuses an invalid value of each annotation with an Event that names both, and captures nothing', async ({
  cluster,
}) => {
  const wrong = await cluster.start(idle({ name: 'wrong', node: 'node1' }));
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

test('refuses an unknown annotation with an Event that suggests a known one, until it is removed', async ({
  cluster,
}) => {
  const web = await cluster.start(idle({ name: 'misspelled', node: 'node1' }));
  await cluster.annotate('misspelled', { [captureAnnotation]: '5', 'podcap.dev/filters': 'tcp' });
  await expectRefused(cluster, web, {
    reason: 'InvalidAnnotation',
    message: 'annotation podcap.dev/filters is unknown: did you mean podcap.dev/filter?',
  });
  await cluster.annotate('misspelled', { 'podcap.dev/filters': null });
  await cluster.event(web.uid, 'CaptureStarted', 'the last 5 files');
});

test('refuses 5 Pods that use the network of their Node', async ({ cluster }) => {
  const names = range(0, 5).map((i) => `host-${i}`);
  const spec = { hostNetwork: true };
  const pods = await Promise.all(names.map((name) => cluster.start(idle({ name, annotation: '5', spec }))));
  for (const host of pods) {
    await expectRefused(cluster, host, {
      reason: 'HostNetwork',
      message: expect.stringContaining('the Pod uses the host network'),
    });
    expect(await captureFolder(host)).toBeUndefined();
    const isListed = async () => (await listedState(host))?.reason === 'HostNetwork';
    await until(isListed, { what: 'the refusal in podcap list', everyMs: 500 });
    expect(await listedState(host)).toMatchObject({ state: 'refused', files: 0 });
  }
});

test('ends the capture at an invalid value and keeps its files; the next valid value continues in new files', async ({
  cluster,
  receiver,
}) => {
  const { address: to, port } = receiver;
  const web = await capturedPod(cluster, 'web');
  await sendCaptured(cluster, web, { receiver });

  await cluster.annotate('web', 'five');
  await cluster.event(web.uid, 'InvalidAnnotation', '"five"');
  expect(await tcpdumpsOf(web)).toEqual([]);
  await cluster.send('web', { to, port, first: 50, count: 50 });
  expect(numbersOf(await packetsIn(web.folder))).toEqual(range(0, 50));

  await cluster.annotate('web', '6');
  await cluster.event(web.uid, 'CaptureStarted', 'the last 6 files');
  await sendCaptured(cluster, web, { receiver, first: 100 });
  const packets = await packetsIn(web.folder);
  expect(numbersOf(packets.filter(({ generation }) => generation === 1))).toEqual(range(0, 50));
  expect(numbersOf(packets.filter(({ generation }) => generation === 2))).toEqual(range(100, 50));
});

test('refuses a filter that tcpdump rejects or that would need a name lookup, and ends the running capture', async ({
  cluster,
  receiver,
}) => {
  const web = await capturedPod(cluster, 'filtered');
  await sendCaptured(cluster, web, { receiver });
  for (const wrong of ['udp prot 9000', 'host example.com', '-z /bin/true']) {
    await cluster.annotate('filtered', { [filter]: wrong });
    const refused = await cluster.event(web.uid, 'InvalidFilter', JSON.stringify(wrong));
    expect(refused.type).toBe('Warning');
    expect(await tcpdumpsOf(web)).toEqual([]);
  }
  const right = `udp port ${receiver.port}`;
  await cluster.annotate('filtered', { [filter]: right });
  await cluster.event(web.uid, 'CaptureStarted', `filter "${right}"`);
  expect(await sendCaptured(cluster, web, { receiver, first: 100 })).toEqual([
    ...range(0, 50),
    ...range(100, 50),
  ]);
});

test.for([
  {
    what: 'an interface that the Pod lacks',
    name: 'elsewhere',
    annotation: '5',
    annotations: { 'podcap.dev/interface': 'net7' },
    reason: 'NoSuchInterface',
    message: expect.stringContaining('the Pod has no interface net7'),
    change: { 'podcap.dev/interface': null },
    started: 'capturing eth0',
  },
  {
    what: "a ring larger than the Node's budget",
    name: 'large',
    annotation: '100',
    annotations: { 'podcap.dev/file-size': '100' },
    reason: 'OverBudget',
    message:
      'the capture may use 10127 MB, and all captures on this Node together may use 10000 MB: it cannot start on this Node unless you ask for fewer or smaller files',
    change: { [captureAnnotation]: '2' },
    started: 'the last 2 files of 100 MB',
  },
])('refuses $what, until another one is requested', async (refused, { cluster, receiver }) => {
  const { name, annotation, annotations, reason, message, change, started } = refused;
  const pod = await cluster.start(idle({ name, node: 'node1', annotation, annotations }));
  await expectRefused(cluster, pod, { reason, message });
  await cluster.annotate(name, change);
  await expectCaptured(cluster, pod, { receiver, message: started });
});
