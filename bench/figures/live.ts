import { capturesPath } from '../../end-to-end/support/capture-requests.ts';
import { hostReceiver } from '../../end-to-end/support/host-receiver.ts';
import { waitForCaptureFolder } from '../../end-to-end/support/node-captures.ts';
import { sender } from '../../end-to-end/support/pod-manifests.ts';
import { waitForDatagrams } from '../../end-to-end/support/ring-contents.ts';
import { type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { type LiveRun, liveRun } from '../hub-streams/packet-delays.ts';
import { measureInRounds } from '../support/rounds.ts';
import { rowOf } from '../support/row.ts';
import { median, percentile } from '../support/statistics.ts';

/**
 * How long a live capture takes to its first packet, and how late each packet is, beside `kubectl debug` with tcpdump; and
 * how late one is that a reader gets who follows a recording.
 */
export const live: Figure = {
  name: 'live',
  unit: 'ms',
  goal: 'the first packet in half the time of kubectl debug, and a median delay of at most 50 ms',
  runs: 10,
  needs: 'cluster',
  measure,
};

const node = 'node1';
const rate = 100;
/** 5 s of them. */
const packets = 500;
/** A ring of 5 files. */
const recorded = { annotation: '5' };
const maxShareOfDebug = 0.5;
const maxMedianDelayMs = 50;

type LiveContender = 'hub' | 'kubectl debug' | 'follow';
type ContenderRun = LiveRun & { readonly name: LiveContender };

async function measure(options: MeasureOptions): Promise<Measurement> {
  await using cluster = await testCluster();
  await using receiver = await hostReceiver();
  let rounds = 0;
  const runs = await measureInRounds(options, {
    steps: ['hub', 'kubectl debug', 'follow'] as const,
    async measureStep(name): Promise<ContenderRun> {
      rounds += 1;
      // Of a new Pod: the containers of kubectl debug stay in theirs.
      const pod = `sender-${rounds}`;
      const { address: to, port } = receiver;
      const sending = sender({
        name: pod,
        node,
        to,
        port,
        rate,
        bytes: 200,
        ...(name === 'follow' && recorded),
      });
      const running = await cluster.start(sending);
      if (name === 'follow')
        await waitForDatagrams(await waitForCaptureFolder(running), rate, { deadlineMs: 30_000 });
      const run = await liveRun(commandOf(name, cluster, pod), packets);
      await cluster.delete(pod, '--grace-period=0', '--force');
      return { name, ...run };
    },
    describe: ({ name, firstPacketMs, delaysMs }) =>
      `${name}: first packet after ${firstPacketMs.toFixed(0)} ms, then ${median(delaysMs).toFixed(1)} ms late, at most ${largest(delaysMs).toFixed(0)}`,
  });
  return measurementOf(runs);
}

function commandOf(name: LiveContender, { namespace }: TestCluster, pod: string): readonly string[] {
  const path = `${capturesPath(namespace)}/${pod}`;
  if (name === 'hub') return ['get', '--raw', `${path}/attach`];
  // Without what the ring has from before.
  if (name === 'follow') return ['get', '--raw', `${path}/log?follow=true&since=${new Date().toISOString()}`];
  const image = ['--image=podcap:latest', '--image-pull-policy=IfNotPresent', '--profile=netadmin'];
  // kubectl attaches after the container has started: what tcpdump had written before, its header, would be lost.
  const tcpdump = ['sh', '-c', 'read line; exec tcpdump -i eth0 --immediate-mode -U -w -'];
  return ['-n', namespace, 'debug', pod, '--quiet', '--stdin', ...image, '--', ...tcpdump];
}

function measurementOf(runs: readonly ContenderRun[]): Measurement {
  const of = (name: LiveContender) => runs.filter((run) => run.name === name);
  const first = (name: LiveContender) => of(name).map(({ firstPacketMs }) => firstPacketMs);
  const delays = (name: LiveContender) => of(name).flatMap(({ delaysMs }) => delaysMs);
  const delayRow = (name: LiveContender): Row => ({
    ...rowOf(
      name,
      'delay of a packet, median of each run',
      of(name).map(({ delaysMs }) => median(delaysMs)),
    ),
    remark: `all packets: p90 ${percentile(delays(name), 90).toFixed(1)}, p99 ${percentile(delays(name), 99).toFixed(1)}`,
  });
  return {
    isReached:
      median(first('hub')) <= maxShareOfDebug * median(first('kubectl debug')) &&
      median(delays('hub')) <= maxMedianDelayMs,
    rows: [
      rowOf('hub', 'request to first packet', first('hub')),
      rowOf('kubectl debug', 'request to first packet', first('kubectl debug')),
      delayRow('hub'),
      delayRow('kubectl debug'),
      delayRow('follow'),
      rowOf(
        'follow',
        'delay of a packet, largest of each run',
        of('follow').map(({ delaysMs }) => largest(delaysMs)),
      ),
    ],
  };
}

function largest(delaysMs: readonly number[]): number {
  return percentile(delaysMs, 100);
}
