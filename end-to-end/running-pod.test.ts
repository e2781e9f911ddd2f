import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../src/testbed/until.ts';
import { capturedAddresses } from './support/captured-addresses.ts';
import { receiver, sender } from './support/pod-manifests.ts';
import {
  agentOn,
  captureFolder,
  kubectl,
  numbersIn,
  type RunningPod,
  ringFiles,
  type TestCluster,
  tcpdumpsOf,
  testCluster,
  untilFolder,
} from './support/test-cluster.ts';

let cluster: TestCluster;
let target: RunningPod;

beforeAll(async () => {
  cluster = await testCluster();
  await cluster.create(receiver({ name: 'receiver', node: 'node2' }));
  target = await cluster.running('receiver');
});
afterAll(() => cluster[Symbol.asyncDispose]());

test('a running Pod is annotated: all that it sends from the Event on is in the files, and nothing of other Pods', async () => {
  // Two others beside it on the same Node, talking to each other all the while.
  await cluster.create(receiver({ name: 'other-receiver', node: 'node1' }));
  const otherReceiver = await cluster.running('other-receiver');
  await cluster.create(
    sender({ name: 'other-sender', node: 'node1', to: otherReceiver.ip, rate: 200, bytes: 100 }),
  );
  const otherSender = await cluster.running('other-sender');
  await cluster.create(
    sender({ name: 'web', node: 'node1', to: target.ip, rate: 500, bytes: 200, count: 5_000 }),
  );
  const web = await cluster.running('web');
  await until(async () => (await cluster.heard('receiver')).count > 0, {
    what: 'traffic',
    deadlineMs: 30_000,
  });

  await cluster.annotate('web', '100');
  const started = await cluster.event(web.uid, 'CaptureStarted');
  const lastBefore = (await cluster.heard('receiver')).last;
  expect(started.type).toBe('Normal');
  expect(started.message).toMatch(
    /^capturing eth0, keeping the last 100 files of 1 MB on node1; \d+ packets passed before$/,
  );
  // Otherwise the test would prove nothing.
  expect(lastBefore).toBeLessThan(4_000);

  const folder = await untilFolder(web);
  await until(async () => (await numbersIn(folder)).at(-1) === 4_999, {
    what: 'the last datagram in a file',
    deadlineMs: 60_000,
  });
  const numbers = await numbersIn(folder);
  const first = numbers[0] ?? Number.NaN;
  expect(numbers).toEqual(Array.from({ length: 5_000 - first }, (_, i) => first + i));
  expect(first).toBeLessThanOrEqual(lastBefore);

  const paths = (await ringFiles(folder)).map(({ name }) => join(folder, name));
  const addresses = await capturedAddresses(paths);
  expect(addresses.every((pair) => pair.includes(web.ip))).toBe(true);
  expect(addresses.flat()).toContain(target.ip);
  expect(addresses.flat()).not.toContain(otherSender.ip);
});

test('with N files full, N stand whenever nothing rotates, and hold an unbroken run up to the last datagram', async () => {
  // 1.4 MB/s: a file of 1 MB is full after 0.7 s.
  const last = 9_999;
  await cluster.create(
    sender({
      name: 'busy',
      node: 'node1',
      to: target.ip,
      rate: 1_000,
      bytes: 1_400,
      count: last + 1,
      annotation: '3',
    }),
  );
  const busy = await cluster.running('busy');
  const folder = await untilFolder(busy);
  await until(async () => (await ringFiles(folder)).length === 3, { what: '3 files', deadlineMs: 30_000 });

  const moments = await watchRing(folder, 6_000);
  expect(Math.min(...moments.map(({ files }) => files))).toBeGreaterThanOrEqual(3);
  expect(Math.max(...moments.map(({ files }) => files))).toBeLessThanOrEqual(4);
  expect(moments.filter(({ files }) => files === 3).length).toBeGreaterThan(3);
  expect(moments.filter(({ files, stoodMs }) => files === 4 && stoodMs > 100)).toEqual([]);

  await until(async () => (await numbersIn(folder)).at(-1) === last, {
    what: 'the last datagram in a file',
    deadlineMs: 30_000,
  });
  await until(async () => (await ringFiles(folder)).length === 3, { what: '3 files' });
  const numbers = await numbersIn(folder);
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => last + 1 - numbers.length + i));
  // Two files and a part of the third, of about 670 datagrams each.
  expect(numbers.length).toBeGreaterThan(2 * 600);
  await cluster.delete('busy', '--grace-period=1');
});

test('a removed annotation ends tcpdump and deletes that folder, and leaves that of a Pod whose name begins alike', async () => {
  await cluster.create(
    sender({ name: 'shop', node: 'node1', to: target.ip, rate: 50, bytes: 100, annotation: '2' }),
  );
  await cluster.create(
    sender({ name: 'shop-2', node: 'node1', to: target.ip, rate: 50, bytes: 100, annotation: '2' }),
  );
  const [shop, other] = [await cluster.running('shop'), await cluster.running('shop-2')];
  await Promise.all([shop, other].map(({ uid }) => cluster.event(uid, 'CaptureStarted')));
  const [folder, otherFolder] = [await untilFolder(shop), await untilFolder(other)];
  expect(await tcpdumpsOf(shop)).toHaveLength(1);
  await until(async () => (await numbersIn(folder)).length > 0, { what: 'a datagram in a file' });
  const before = (await ringFiles(otherFolder)).map(({ name }) => name);

  await cluster.annotate('shop', null);
  // The promise of the issue: within a second.
  await until(
    async () => (await captureFolder(shop)) === undefined && (await tcpdumpsOf(shop)).length === 0,
    {
      what: `${folder} to be gone, and its tcpdump`,
      deadlineMs: 1_000,
    },
  );
  expect(await cluster.event(shop.uid, 'CaptureStopped')).toMatchObject({
    type: 'Normal',
    message: expect.stringMatching(
      /^the annotation was removed, its capture files are deleted; packets captured: [1-9]/,
    ),
  });
  expect(await tcpdumpsOf(other)).toHaveLength(1);
  expect((await ringFiles(otherFolder)).map(({ name }) => name)).toEqual(before);
});

test('a Pod that is deleted: the capture stops and its folder stays, with the last datagram in it', async () => {
  await cluster.create(
    sender({ name: 'gone', node: 'node1', to: target.ip, rate: 500, bytes: 100, annotation: '5' }),
  );
  const gone = await cluster.running('gone');
  await cluster.event(gone.uid, 'CaptureStarted');
  const folder = await untilFolder(gone);
  await until(async () => (await numbersIn(folder)).length > 100, { what: '100 datagrams in the files' });
  await cluster.delete('gone', '--grace-period=1');
  const stopped = await cluster.event(gone.uid, 'CaptureStopped');
  expect(stopped.message).toMatch(
    /^the Pod ended, its capture files are kept for the retention time; .* dropped by kernel: 0, lost at stop: 0, pruned: 0, /,
  );
  expect(await tcpdumpsOf(gone)).toEqual([]);
  const numbers = await numbersIn(folder);
  const first = numbers[0] ?? Number.NaN;
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => first + i));
});

test('a value that is not allowed is refused by an Event that names it, and nothing runs', async () => {
  await cluster.create(
    sender({ name: 'wrong', node: 'node1', to: target.ip, rate: 10, bytes: 100, annotation: 'five' }),
  );
  const wrong = await cluster.running('wrong');
  expect(await cluster.event(wrong.uid, 'InvalidAnnotation')).toMatchObject({
    type: 'Warning',
    message: 'annotation tcpdump.antrea.io="five": must be a whole number of capture files from 1 to 100',
  });
  expect(await captureFolder(wrong)).toBeUndefined();
  await cluster.annotate('wrong', '1');
  await cluster.event(wrong.uid, 'CaptureStarted');
  expect(await captureFolder(wrong)).toBeDefined();
});

test('an agent that is deleted stops everything, and the next one goes on in files of its own', async () => {
  await cluster.create(
    sender({ name: 'stays', node: 'node2', to: target.ip, rate: 200, bytes: 100, annotation: '5' }),
  );
  const stays = await cluster.running('stays');
  await cluster.event(stays.uid, 'CaptureStarted');
  const [before] = await tcpdumpsOf(stays);
  const agent = await agentOn('node2');
  await kubectl('-n', 'kube-system', 'delete', 'pod', agent, '--wait=true');
  await until(async () => !(await tcpdumpsOf(stays)).includes(before ?? 0), {
    what: 'its tcpdump to be gone',
  });
  await until(async () => (await tcpdumpsOf(stays)).length === 1, {
    what: 'the next tcpdump',
    deadlineMs: 60_000,
  });
  const folder = await untilFolder(stays);
  const generations = async () => new Set((await ringFiles(folder)).map(({ generation }) => generation));
  await until(async () => (await generations()).has(2), { what: 'files of the next agent' });
  expect([...(await generations())]).toEqual([1, 2]);
});

/** One set of files that stood, and for how long at least: from when it was first seen until it was last seen. */
type Moment = { readonly files: number; readonly stoodMs: number };

async function watchRing(folder: string, forMs: number): Promise<Moment[]> {
  const seen = new Map<string, { files: number; first: number; last: number }>();
  const end = performance.now() + forMs;
  while (performance.now() < end) {
    const names = (await ringFiles(folder)).map(({ name }) => name);
    const now = performance.now();
    const key = names.join(' ');
    const first = seen.get(key)?.first ?? now;
    seen.set(key, { files: names.length, first, last: now });
  }
  return [...seen.values()].map(({ files, first, last }) => ({ files, stoodMs: last - first }));
}
