import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { agentOn, agentProcess } from './support/agents.ts';
import { capturesPath } from './support/capture-requests.ts';
import { range } from './support/consecutive.ts';
import { expectStatus } from './support/expect-status.ts';
import { test as hubTest } from './support/hub-test.ts';
import { captureFolder } from './support/node-captures.ts';
import { numbersInCapture, numbersOfStream } from './support/numbers-in-capture.ts';
import { idle } from './support/pod-manifests.ts';
import { readFramedCapture } from './support/read-stream-frames.ts';
import { kubectlCommand } from './support/run-kubectl.ts';
import { tapTcpdumps, waitForTaps } from './support/tap-processes.ts';

/** A Pod that nobody has annotated. */
const test = hubTest.extend('shown', { scope: 'file' }, async ({ cluster, receiver }) => {
  const pod = await cluster.start(idle({ name: 'shown', node: 'node1' }));
  const send = (first: number, count: number) =>
    cluster.send('shown', { to: receiver.address, port: receiver.port, first, count });
  return { ...pod, send, attach: `${capturesPath(cluster.namespace)}/shown/attach` };
});

/** kubectl get --raw of that path, and the numbers of the datagrams that it has written so far. */
function kubectlRaw(path: string) {
  const [program, ...args] = kubectlCommand('get', '--raw', path);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const numbers: number[] = [];
  const reading = (async () => {
    for await (const number of numbersOfStream(child.stdout)) numbers.push(number);
  })().catch(() => {});
  const ended = once(child, 'exit');
  return {
    numbers,
    /** Resolves to its exit code, null if a signal ended it. */
    async kill(signal: 'SIGKILL' | 'SIGINT'): Promise<void> {
      child.kill(signal);
      await ended;
      await reading;
    },
  };
}

test('kubectl get --raw shows the packets of a Pod that is not annotated, as they pass, and leaves no file', async ({
  shown,
}) => {
  const viewer = kubectlRaw(shown.attach);
  await waitForTaps(1);
  await shown.send(0, 20);
  await until(() => viewer.numbers.length === 20, { what: 'the first packets' });
  await shown.send(20, 20);
  await until(() => viewer.numbers.length === 40, { what: 'the packets after them' });
  expect(viewer.numbers).toEqual(range(0, 40));
  expect(await captureFolder(shown)).toBeUndefined();
  await viewer.kill('SIGINT');
  await waitForTaps(0, { deadlineMs: 2_000 });
});

test('a viewer that is killed takes its tcpdump with it within 2 s', async ({ shown }) => {
  const viewer = kubectlRaw(shown.attach);
  await waitForTaps(1);
  await viewer.kill('SIGKILL');
  await waitForTaps(0, { deadlineMs: 2_000 });
});

test('an agent that is killed leaves no tcpdump of a live capture behind, and the next one shows packets again', async ({
  cluster,
  requests,
  shown,
}) => {
  const viewer = kubectlRaw(shown.attach);
  await waitForTaps(1);
  const agent = await agentProcess(cluster, shown.node);
  process.kill(agent.pid, 'SIGKILL');
  await waitForTaps(0, { deadlineMs: 2_000 });
  await viewer.kill('SIGKILL');
  await agentProcess(cluster, shown.node, agent);
  const isServed = async () => {
    using answer = await requests.frames(shown.attach);
    return answer.status === 200;
  };
  await until(isServed, { what: 'the link of the next agent', deadlineMs: 30_000, everyMs: 100 });
  await waitForTaps(0, { deadlineMs: 2_000 });
});

test('count ends the live capture after that many packets, of those that the filter selects', async ({
  receiver,
  requests,
  shown,
}) => {
  const filter = encodeURIComponent(`udp dst port ${receiver.port}`);
  const answering = requests.frames(`${shown.attach}?filter=${filter}&count=7`);
  await waitForTaps(1);
  await shown.send(0, 20);
  using answer = await answering;
  const { bytes, end } = await readFramedCapture(answer.body);
  expect(await numbersInCapture(bytes)).toEqual(range(0, 7));
  expect(end).toMatchObject({ reason: 'CountReached', isComplete: true, packets: 7, dropped: 0 });
  await waitForTaps(0, { deadlineMs: 2_000 });
});

test('duration ends the live capture in time, also if nothing passes', async ({ requests, shown }) => {
  const filter = encodeURIComponent('udp port 1');
  using answer = await requests.frames(`${shown.attach}?duration=2s&filter=${filter}`);
  const { end } = await readFramedCapture(answer.body);
  expect(end).toMatchObject({ reason: 'DurationReached', isComplete: true, packets: 0 });
});

test('a live capture ends when its Pod does, and says so', async ({ cluster, requests }) => {
  await cluster.start(idle({ name: 'brief', node: 'node1' }));
  const answering = requests.frames(`${capturesPath(cluster.namespace)}/brief/attach`);
  await waitForTaps(1);
  await cluster.delete('brief', '--grace-period=0', '--force');
  using answer = await answering;
  const { end } = await readFramedCapture(answer.body);
  expect(end).toMatchObject({ reason: 'PodEnded', isComplete: true });
});

test('a Pod on the host network, an agent and a Pod that does not exist are refused', async ({
  cluster,
  requests,
}) => {
  await cluster.start(idle({ name: 'on-host', node: 'node1', spec: { hostNetwork: true } }));
  using onHost = await requests.send(`${capturesPath(cluster.namespace)}/on-host/attach`);
  const forbidden = { code: 403, reason: 'Forbidden' };
  await expectStatus(onHost, { ...forbidden, message: expect.stringContaining('host network') });
  using agent = await requests.send(`${capturesPath('kube-system')}/${await agentOn('node1')}/attach`);
  await expectStatus(agent, { ...forbidden, message: expect.stringContaining('agent') });
  using none = await requests.send(`${capturesPath(cluster.namespace)}/no-such-pod/attach`);
  await expectStatus(none, {
    code: 404,
    reason: 'NotFound',
    message: expect.stringContaining('no-such-pod'),
  });
});

test.for([
  ['reaches no shell', 'filter', '$(touch /tmp/podcap-filter);`id`'],
  ['is no option of tcpdump', 'filter', '-w /captures/stolen'],
  ['that does not compile is refused', 'filter', 'tcp port'],
  ['is no option of tcpdump', 'interface', '-D'],
  ['that is no number is refused', 'count', '-1'],
] as const)('what %s: %s=%s', async ([, parameter, value], { requests, shown }) => {
  using answer = await requests.send(`${shown.attach}?${parameter}=${encodeURIComponent(value)}`);
  await expectStatus(answer, { code: 400, reason: 'BadRequest', message: expect.any(String) });
  expect(await tapTcpdumps()).toEqual([]);
});
