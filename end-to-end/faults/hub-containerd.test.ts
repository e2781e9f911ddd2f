import { expect } from 'vitest';
import { killComponent } from '../../cluster/component-control.ts';
import { nodes } from '../../cluster/layout.ts';
import { until } from '../../src/base/until.ts';
import { agentProcess } from '../support/agents.ts';
import { type CaptureRequests, capturesPath } from '../support/capture-requests.ts';
import { capturedPod } from '../support/captured-pod.ts';
import { expectConsecutive, range } from '../support/consecutive.ts';
import { expectOneCapture } from '../support/datagram-counts.ts';
import { waitForHubs } from '../support/hub-pods.ts';
import { downloaded, heldStream } from '../support/hub-streams.ts';
import { test as hubTest } from '../support/hub-test.ts';
import { goInformer, listedCaptures, textOfCaptures } from '../support/informed-captures.ts';
import { largeDatagrams, largeRecording } from '../support/large-recording.ts';
import { numbersInCapture, numbersOfStream } from '../support/numbers-in-capture.ts';
import { nodeProgram, processesOf, tcpdumpsOf } from '../support/pod-processes.ts';
import { printFigures } from '../support/print-figures.ts';
import { sendingPod } from '../support/sending-pod.ts';
import { waitForTaps } from '../support/tap-processes.ts';

const rounds = 20;

const test = hubTest.extend('large', { scope: 'file' }, async ({ cluster }) => await largeRecording(cluster));

test(`when containerd is killed on all Nodes in the middle of a download, a live capture and a watch, ${rounds} times, they go on or start over`, async ({
  cluster,
  large,
  requests,
}) => {
  const { namespace } = cluster;
  const sending = await sendingPod(cluster, { name: 'sending', node: 'node2' });
  await waitForHubs(2);
  await using informer = await goInformer(namespace);
  const before = await processes();
  const figures = { downloadsCut: 0, tapsCut: 0 };
  for (let round = 0; round < rounds; round += 1) {
    const download = await heldStream(requests, { namespace, name: 'large', subresource: 'log' });
    using _answer = download.answer;
    using tap = await liveCapture(requests, `${capturesPath(namespace)}/sending/attach`);
    await tap.more();
    await waitForTaps(1);
    await Promise.all(nodes.map((machine) => killComponent({ machine, name: 'containerd' })));
    // Until it starts Pods again, whose captures the watch has to know.
    const added = nodes.map(({ name: node }) => [`added-${round}-${node}`, node] as const);
    await Promise.all(added.map(async ([name, node]) => await capturedPod(cluster, name, { node })));
    if ((await download.rest()) === 'cut') figures.downloadsCut += 1;
    if (!(await tap.more())) figures.tapsCut += 1;
    tap[Symbol.dispose]();
    expectConsecutive(tap.numbers());
    await waitForTaps(0, { deadlineMs: 30_000 });
    // Every byte is right, whether the first one was cut or not.
    const complete = await until(() => downloaded(requests, `${capturesPath(namespace)}/large/log`), {
      what: 'a complete download',
      deadlineMs: 60_000,
      everyMs: 200,
    });
    expect(await numbersInCapture(complete)).toEqual(range(0, largeDatagrams));
    await until(
      async () => {
        const truth = await listedCaptures(namespace);
        const hasAll = added.every(([name]) => name in truth);
        return hasAll && textOfCaptures(await informer.known()) === textOfCaptures(truth);
      },
      { what: 'the watch to know all captures', deadlineMs: 60_000, everyMs: 500 },
    );
    await Promise.all(added.map(async ([name]) => await cluster.delete(name, '--grace-period=1')));
  }
  printFigures('containerd killed under streams', figures);
  expect(await processes()).toEqual(before);
  await expectOneCapture(cluster, 'containerd killed under streams', [sending]);

  /** Of the agents, the hubs and the captures: those that nothing of this may end. */
  async function processes() {
    const agents = await Promise.all(nodes.map(({ name }) => agentProcess(cluster, name)));
    const hubs = await Promise.all(
      (await waitForHubs(2)).map(async ({ uid }) => await processesOf(uid, nodeProgram)),
    );
    return {
      agents: agents.map(({ pid }) => pid),
      hubs: hubs.flat().toSorted((a, b) => a - b),
      tcpdumps: await Promise.all([large, sending].map(tcpdumpsOf)),
    };
  }
});

/** A live capture whose datagrams are read as they come. */
type LiveCapture = Disposable & {
  readonly numbers: () => readonly number[];
  /** Waits for further datagrams; false: it was cut. Throws if it ended, or if neither happens. */
  readonly more: () => Promise<boolean>;
};

async function liveCapture(requests: CaptureRequests, path: string): Promise<LiveCapture> {
  const answer = await requests.send(path);
  if (answer.status !== 200) throw new Error((await answer.bytes()).toString('utf8'));
  const numbers: number[] = [];
  let state: 'open' | 'ended' | 'cut' = 'open';
  const reading = (async () => {
    for await (const number of numbersOfStream(answer.body)) numbers.push(number);
  })();
  reading.then(
    () => {
      state = 'ended';
    },
    () => {
      state = 'cut';
    },
  );
  return {
    numbers: () => numbers,
    async more() {
      const wanted = numbers.length + 50;
      await until(() => state !== 'open' || numbers.length >= wanted, { what: 'more datagrams' });
      expect(state).not.toBe('ended');
      return state === 'open';
    },
    [Symbol.dispose]: () => answer[Symbol.dispose](),
  };
}
