import { setTimeout } from 'node:timers/promises';
import { nodes } from '../../cluster/layout.ts';
import { idle } from '../../end-to-end/support/pod-manifests.ts';
import {
  agentOn,
  captureFolder,
  type RunningPod,
  type TestCluster,
  testCluster,
} from '../../end-to-end/support/test-cluster.ts';
import { readRecord } from '../../src/agent/storage/capture-records.ts';
import type { Figure, Measurement, Measuring, Row } from '../figure.ts';
import { type AgentLog, followLog } from '../support/agent-log.ts';
import { percentile, summary } from '../support/statistics.ts';

/** From the API server's answer to the annotation until the agent has read tcpdump's "listening on". */
export const startLatency: Figure = {
  name: 'start-latency',
  unit: 'ms',
  goal: 'median <= 50 ms, p99 <= 150 ms',
  runs: 100,
  needs: 'cluster',
  measure,
};

/** Milliseconds of the epoch, all of one clock. */
type CaptureStart = {
  /** The annotation's request was written. */
  readonly sentMs: number;
  /** The API server's answer had come back. */
  readonly acceptedMs: number;
  /** The agent had decided, and opened the Pod's folder. */
  readonly begunMs: number;
  /** The agent had read tcpdump's "listening on". */
  readonly listeningMs: number;
};

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using cluster = await testCluster();
  await using open = new AsyncDisposableStack();
  const targets = await Promise.all(nodes.map(({ name }) => startTarget(cluster, name)));
  for (const { log } of targets) open.use(log);
  const starts: CaptureStart[] = [];
  for (let run = 0; run < runs; run += 1) {
    const target = targets[run % targets.length];
    if (target) starts.push(await startOnce(cluster, target));
    if ((run + 1) % 25 === 0) say(`${run + 1} of ${runs} starts`);
  }
  return measurementOf(starts);
}

type LatencyTarget = { readonly pod: RunningPod; readonly log: AgentLog };

/** A Pod of that Node that does nothing, and its agent's log. */
async function startTarget(cluster: TestCluster, node: string): Promise<LatencyTarget> {
  const name = `idle-on-${node}`;
  await cluster.create(idle({ name, node }));
  return {
    pod: await cluster.running(name),
    log: await followLog(cluster.client, await agentOn(node)),
  };
}

async function startOnce(cluster: TestCluster, { pod, log }: LatencyTarget): Promise<CaptureStart> {
  // The Events of the start before are written by then, and no timer of the cluster is followed in step.
  await setTimeout(300 + Math.random() * 300);
  const sentMs = Date.now();
  await cluster.annotate(pod.name, '2');
  const acceptedMs = Date.now();
  const started = await log.line({ message: 'capture started', uid: pod.uid, fromMs: sentMs });
  const begunMs = await begun(pod, started.generation ?? 1);
  await cluster.annotate(pod.name, null);
  await log.line({ message: 'captures deleted', uid: pod.uid, fromMs: started.time });
  if (await captureFolder(pod)) throw new Error(`the captures of ${pod.name} are deleted, and still there`);
  return { sentMs, acceptedMs, begunMs, listeningMs: started.time };
}

async function begun(pod: RunningPod, generation: number): Promise<number> {
  const folder = await captureFolder(pod);
  const record = folder === undefined ? undefined : await readRecord(folder, generation);
  if (!record) throw new Error(`${pod.name} is captured, and has no record`);
  return Date.parse(record.startTime);
}

function measurementOf(starts: readonly CaptureStart[]): Measurement {
  const whole = rowOf('running Pod', starts, (start) => start.listeningMs - start.acceptedMs);
  return {
    isReached: whole.median <= 50 && (whole.p99 ?? Number.NaN) <= 150,
    rows: [
      whole,
      rowOf('from the request on', starts, (start) => start.listeningMs - start.sentMs),
      rowOf('part: request to answer', starts, (start) => start.acceptedMs - start.sentMs),
      rowOf('part: answer to decided', starts, (start) => start.begunMs - start.acceptedMs),
      rowOf('part: decided to listening', starts, (start) => start.listeningMs - start.begunMs),
    ],
  };
}

function rowOf(
  parameter: string,
  starts: readonly CaptureStart[],
  msOf: (start: CaptureStart) => number,
): Row {
  const values = starts.map(msOf);
  return {
    variant: 'podcap',
    parameter,
    ...summary(values),
    p90: percentile(values, 90),
    p99: percentile(values, 99),
    values,
  };
}
