import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../../base/until.ts';
import { temporaryFolder } from '../../../testbed/temporary-folder.ts';
import { podWith } from '../../testing/fixtures.ts';
import { hostileFilters } from '../../testing/hostile-filters.ts';
import { type TapAnswer, tapScene, tcpdumpsOf } from './testing/tap-scene.ts';

test.each([
  [{ name: 'other' }, 404, 'PodNotFound', 'no Pod default/other on this Node'],
  [{ uid: 'uid-2' }, 404, 'PodNotFound', 'no Pod default/web with the UID uid-2 on this Node'],
  [{ interface: 'eth7' }, 400, 'NoSuchInterface', 'the Pod has no interface eth7'],
  [{ interface: 'eth0,eth7' }, 400, 'NoSuchInterface', 'the Pod has no interface eth7'],
  [{ interface: '-D' }, 400, 'InvalidParameter', 'must be the names of 1 to 4 interfaces'],
  [{ filter: 'tcp port' }, 400, 'InvalidFilter', 'filter="tcp port": can\'t parse filter expression'],
  [{ filter: 'tcp) or (udp' }, 400, 'InvalidFilter', 'filter="tcp) or (udp"'],
  [{ filter: 'type mgt' }, 400, 'CaptureFailed', '802.11'],
])('%j is refused, and nothing runs', async (query, status, reason, words) => {
  await using scene = await tapScene();
  const answer = await scene.open(query);
  expect(answer.status).toBe(status);
  expect(await errorOf(answer)).toEqual({ reason, message: expect.stringContaining(words) });
  await until(() => scene.taps.counts().open === 0, { what: 'the end of the request' });
  expect(await scene.testbed.processes()).toEqual([]);
});

// The hub waits 20 s for an answer, however many interfaces are asked for.
test('an interface that does not start has no more time because another one has started before', async () => {
  const deadlines: AbortController[] = [];
  const startDeadline = () => {
    const deadline = new AbortController();
    deadlines.push(deadline);
    return deadline.signal;
  };
  await using scene = await tapScene({ hanging: ['eth0'], startDeadline });
  const answering = scene.open({ interface: 'lo,eth0' });
  await until(() => scene.listening().length === 1, { what: 'a capture on lo' });
  deadlines[0]?.abort();
  const answer = await answering;
  expect(answer.status).toBe(503);
  expect(await errorOf(answer)).toEqual({
    reason: 'CaptureFailed',
    message: 'tcpdump did not start within 10 s',
  });
  expect(deadlines).toHaveLength(1);
});

test('an interface that does not exist is refused without waiting for another one', async () => {
  const startDeadline = () => new AbortController().signal;
  await using scene = await tapScene({ hanging: ['lo'], startDeadline });
  const answer = await scene.open({ interface: 'lo,eth7' });
  expect(await errorOf(answer)).toMatchObject({ reason: 'NoSuchInterface' });
  await until(() => scene.taps.counts().open === 0, { what: 'the end of the request' });
  expect(await scene.testbed.processes()).toEqual([]);
});

test.each([
  ['on the host network', podWith({ hostNetwork: true }), 'HostNetwork'],
  [
    "of Podcap's own",
    podWith({ namespace: 'kube-system', labels: { 'app.kubernetes.io/name': 'podcap' } }),
    'OwnPod',
  ],
])('a Pod %s is refused', async (_what, pod, reason) => {
  await using scene = await tapScene({ pod });
  const answer = await scene.open({ namespace: pod.namespace });
  expect(answer.status).toBe(403);
  expect((await errorOf(answer)).reason).toBe(reason);
});

test('a Pod that has the address of a hub is refused, whatever its labels are', async () => {
  await using scene = await tapScene({ hubs: [{ address: '192.0.2.2', port: 10_251 }] });
  expect((await scene.open()).status).toBe(403);
});

test('one tap more than are allowed is refused, until another one ends', async () => {
  await using scene = await tapScene();
  const taps = await Promise.all(Array.from({ length: 16 }, () => scene.open()));
  expect(taps.map(({ status }) => status)).toEqual(Array(16).fill(200));
  const refused = await scene.open();
  expect(refused.status).toBe(429);
  expect(await errorOf(refused)).toEqual({
    reason: 'TooManyTaps',
    message: expect.stringContaining('16 live captures run on this Node'),
  });
  // Whose Pod it is not says so: the hub asks all agents.
  expect(await errorOf(await scene.open({ name: 'other' }))).toMatchObject({ reason: 'PodNotFound' });
  expect(await errorOf(await scene.open({ interface: '-D' }))).toMatchObject({ reason: 'InvalidParameter' });
  taps[0]?.stream.close();
  await until(() => scene.taps.counts().open === 15, { what: 'the end of a tap' });
  expect((await scene.open()).status).toBe(200);
  expect(await tcpdumpsOf(scene.testbed)).toHaveLength(16);
});

test('no hostile filter acts as an option, a path or a shell command', { timeout: 120_000 }, async () => {
  await using trap = await temporaryFolder();
  await using scene = await tapScene();
  const filters = hostileFilters(join(trap.path, 'touched'));
  // HTTP/2 refuses longer ones.
  for (const [fate, filter] of filters.filter((each) => each[1].length <= 4_096)) {
    const answer = await scene.open({ filter });
    expect([filter, answer.status]).toEqual([filter, fate === 'accepted' ? 200 : 400]);
    if (fate === 'accepted') answer.stream.close();
    await answer.rest();
  }
  await until(() => scene.taps.counts().open === 0, { what: 'the end of all taps' });
  expect(await readdir(trap.path)).toEqual([]);
  expect(await scene.testbed.processes()).toEqual([]);
});

async function errorOf(answer: TapAnswer): Promise<{ readonly reason: string; readonly message: string }> {
  return JSON.parse((await answer.rest()).bytes.toString());
}
