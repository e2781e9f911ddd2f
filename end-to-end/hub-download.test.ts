import { expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { capturesPath } from './support/capture-requests.ts';
import { capturedPod, sendCaptured } from './support/captured-pod.ts';
import { range } from './support/consecutive.ts';
import { expectStatus } from './support/expect-status.ts';
import { test as hubTest } from './support/hub-test.ts';
import { numbersInCapture, numbersOfStream } from './support/numbers-in-capture.ts';
import { idle } from './support/pod-manifests.ts';
import { readFramedCapture } from './support/read-stream-frames.ts';
import { kubectl, kubectlBytes } from './support/run-kubectl.ts';

const test = hubTest.extend('recorded', { scope: 'file' }, async ({ cluster, receiver }) => {
  const pod = await capturedPod(cluster, 'web');
  await sendCaptured(cluster, pod, { receiver, count: 50 });
  const log = `${capturesPath(cluster.namespace)}/web/log`;
  return { ...pod, log };
});

test('kubectl get --raw downloads the capture file of a Pod, with every packet once', async ({
  recorded,
}) => {
  expect(await numbersInCapture(await kubectlBytes('get', '--raw', recorded.log))).toEqual(range(0, 50));
  const pcap = await kubectlBytes('get', '--raw', `${recorded.log}?format=pcap`);
  expect(pcap.readUInt32LE(0)).toBe(0xa1b2c3d4);
  expect(await numbersInCapture(pcap)).toEqual(range(0, 50));
});

test('a client of Podcap gets the same in frames, with an end that says that all of it was sent', async ({
  recorded,
  requests,
}) => {
  using answer = await requests.frames(recorded.log);
  expect(answer).toMatchObject({ status: 200, contentType: 'application/vnd.podcap.frames' });
  const { bytes, end, gaps } = await readFramedCapture(answer.body);
  expect(await numbersInCapture(bytes)).toEqual(range(0, 50));
  expect(end).toMatchObject({ isComplete: true, dropped: 0, missed: expect.any(Number) });
  expect(end.packets).toBeGreaterThanOrEqual(50);
  expect(gaps).toEqual([]);
});

test('since and until select a time', async ({ cluster, receiver, requests }) => {
  const pod = await capturedPod(cluster, 'spans');
  const log = `${capturesPath(cluster.namespace)}/spans/log`;
  await sendCaptured(cluster, pod, { receiver, first: 0, count: 10 });
  const between = new Date(Date.now() + 1).toISOString();
  await until(() => new Date().toISOString() > between, { what: 'a later time' });
  await sendCaptured(cluster, pod, { receiver, first: 10, count: 10 });
  const numbers = async (query: string) => {
    using answer = await requests.send(`${log}?${query}`);
    return await numbersInCapture(await answer.bytes());
  };
  expect(await numbers(`since=${between}`)).toEqual(range(10, 10));
  expect(await numbers(`until=${between}`)).toEqual(range(0, 10));
  expect(await numbers('since=1h')).toEqual(range(0, 20));
});

test('a Pod that is created again under its name has a recording of its own, and the earlier one by its UID', async ({
  cluster,
  receiver,
  requests,
}) => {
  const before = await capturedPod(cluster, 'again');
  const log = `${capturesPath(cluster.namespace)}/again/log`;
  await sendCaptured(cluster, before, { receiver, first: 0, count: 5 });
  await cluster.delete('again', '--grace-period=0', '--force');
  const after = await capturedPod(cluster, 'again');
  await sendCaptured(cluster, after, { receiver, first: 100, count: 5 });
  const numbers = async (query: string) => {
    using answer = await requests.send(`${log}${query}`);
    return await numbersInCapture(await answer.bytes());
  };
  expect(await numbers('')).toEqual(range(100, 5));
  expect(await numbers(`?uid=${before.uid}`)).toEqual(range(0, 5));
  expect(await numbers(`?uid=${after.uid}`)).toEqual(range(100, 5));
});

test('follow sends what is there and then each packet that comes, in order, and ends when the Pod has ended', async ({
  cluster,
  receiver,
  requests,
}) => {
  const pod = await capturedPod(cluster, 'followed');
  await sendCaptured(cluster, pod, { receiver, first: 0, count: 20 });
  using answer = await requests.send(`${capturesPath(cluster.namespace)}/followed/log?follow=true`);
  const arrived: number[] = [];
  const reading = (async () => {
    for await (const number of numbersOfStream(answer.body)) arrived.push(number);
  })();
  await until(() => arrived.length === 20, { what: 'the packets that were there' });
  for (const first of [20, 40, 60]) {
    await cluster.send('followed', { to: receiver.address, port: receiver.port, first, count: 20 });
    await until(() => arrived.length === first + 20, { what: `the packets up to ${first + 20}` });
  }
  expect(arrived).toEqual(range(0, 80));
  await cluster.delete('followed', '--grace-period=1');
  await reading;
});

test('a frozen ring is downloaded by its number', async ({ cluster, receiver, requests }) => {
  const pod = await capturedPod(cluster, 'frozen', { annotations: { 'podcap.dev/freeze-after': '1s' } });
  await sendCaptured(cluster, pod, { receiver, first: 0, count: 10 });
  await cluster.annotate('frozen', { 'podcap.dev/freeze': 'by-hand' });
  const capture = `${capturesPath(cluster.namespace)}/frozen`;
  const rings = async () => (await kubectl('get', '--raw', capture)).includes('"frozen":[{"number":1');
  await until(rings, { what: 'a frozen ring in the capture', deadlineMs: 60_000, everyMs: 500 });
  await sendCaptured(cluster, pod, { receiver, first: 10, count: 10 });
  using frozen = await requests.send(`${capture}/log?frozen=1`);
  expect(await numbersInCapture(await frozen.bytes())).toEqual(range(0, 10));
  using all = await requests.send(`${capture}/log?frozen=all`);
  expect(await numbersInCapture(await all.bytes())).toEqual(range(0, 20));
  using none = await requests.send(`${capture}/log?frozen=7`);
  await expectStatus(none, {
    code: 404,
    reason: 'NotFound',
    message: expect.stringContaining('no frozen ring 7'),
  });
});

test.for([
  ['a Pod of which nothing is recorded', 'silent/log', 404, 'NotFound'],
  ['a Pod that does not exist', 'no-such-pod/log', 404, 'NotFound'],
  ['another UID', 'web/log?uid=00000000-0000-4000-8000-000000000000', 404, 'NotFound'],
  ['an unknown parameter', 'web/log?sinc=10m', 400, 'BadRequest'],
  ['a time that is none', 'web/log?since=yesterday', 400, 'BadRequest'],
  ['a format that there is not', 'web/log?format=zip', 400, 'BadRequest'],
] as const)(
  'a request for %s is refused with a Status',
  async ([, path, code, reason], { cluster, recorded, requests }) => {
    expect(recorded.name).toBe('web');
    if (path.startsWith('silent')) await cluster.start(idle({ name: 'silent', node: 'node1' }));
    using answer = await requests.send(`${capturesPath(cluster.namespace)}/${path}`);
    await expectStatus(answer, { code, reason, message: expect.any(String) });
  },
);
