import { setTimeout as sleep } from 'node:timers/promises';
import { nodes } from '../../cluster/layout.ts';
import { agentOn } from '../../end-to-end/support/agents.ts';
import type { RunningPod } from '../../end-to-end/support/namespace-pods.ts';
import { captureFolder } from '../../end-to-end/support/node-captures.ts';
import { idle } from '../../end-to-end/support/pod-manifests.ts';
import { type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import { readRecord } from '../../src/agent/storage/capture-records.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { type AgentLog, followLog } from '../support/agent-log.ts';
import { rowOf } from '../support/row.ts';
import { percentile } from '../support/statistics.ts';

/** From the API server's response to the annotation until the agent has read tcpdump's "listening on". */
export const startLatency: Figure = {
  name: 'start-latency',
  unit: 'ms',
  goal: 'median <= 50 ms, p99 <= 150 ms',
  runs: 100,
  needs: 'cluster',
  measure,
};

const maxMedianMs = 50;
const maxP99Ms = 150;

/** Milliseconds of the epoch, all by the same clock. */
type CaptureStart = {
  /** Before the request with the annotation was sent. */
  readonly sentMs: number;
  /** After the API server's response. */
  readonly acceptedMs: number;
  /** The agent had decided, and had created the Pod's folder. */
  readonly decidedMs: number;
  /** The agent had read tcpdump's "listening on". */
  readonly listeningMs: number;
};

async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  await using cluster = await testCluster();
  await using logs = new AsyncDisposableStack();
  const targets = await Promise.all(nodes.map(({ name }) => startTarget(cluster, name)));
  for (const { log } of targets) logs.use(log);
  const starts: CaptureStart[] = [];
  for (let run = 0; run < runs; run += 1) {
    const target = targets[run % targets.length];
    if (target) starts.push(await startOnce(cluster, target));
    if ((run + 1) % 25 === 0) report(`${run + 1} of ${runs} starts`);
  }
  return measurementOf(starts);
}

type LatencyTarget = { readonly pod: RunningPod; readonly log: AgentLog };

/** An idle Pod on that Node, and the log of the Node's agent. */
async function startTarget(cluster: TestCluster, node: string): Promise<LatencyTarget> {
  const name = `idle-on-${node}`;
  await cluster.create(idle({ name, node }));
  return {
    pod: await cluster.running(name),
    log: await followLog(cluster.client, await agentOn(node)),
  };
}

async function startOnce(cluster: TestCluster, { pod, log }: LatencyTarget): Promise<CaptureStart> {
  // By then the Events of the previous start are written. Random, so as not to keep step with a timer of the cluster.
  await sleep(300 + Math.random() * 300);
  const sentMs = Date.now();
  await cluster.annotate(pod.name, '2');
  const acceptedMs = Date.now();
  const started = await log.line({ message: 'capture started', uid: pod.uid, fromMs: sentMs });
  const decidedMs = await recordStartMs(pod, started.generation ?? 1);
  await cluster.annotate(pod.name, null);
  await log.line({ message: 'captures deleted', uid: pod.uid, fromMs: started.time });
  if (await captureFolder(pod))
    throw new Error(`the captures of ${pod.name} were logged as deleted and still exist`);
  return { sentMs, acceptedMs, decidedMs, listeningMs: started.time };
}

async function recordStartMs(pod: RunningPod, generation: number): Promise<number> {
  const folder = await captureFolder(pod);
  const record = folder === undefined ? undefined : await readRecord(folder, generation);
  if (!record) throw new Error(`${pod.name} is captured and has no record`);
  return Date.parse(record.startTime);
}

function measurementOf(starts: readonly CaptureStart[]): Measurement {
  const row = (parameter: string, msOf: (start: CaptureStart) => number): Row => {
    const values = starts.map(msOf);
    return {
      ...rowOf('podcap', parameter, values),
      p90: percentile(values, 90),
      p99: percentile(values, 99),
    };
  };
  const fromResponse = row('from the response', (start) => start.listeningMs - start.acceptedMs);
  return {
    isReached: fromResponse.median <= maxMedianMs && (fromResponse.p99 ?? Number.NaN) <= maxP99Ms,
    rows: [
      fromResponse,
      row('from the request', (start) => start.listeningMs - start.sentMs),
      row('part: request to response', (start) => start.acceptedMs - start.sentMs),
      row('part: response to decision', (start) => start.decidedMs - start.acceptedMs),
      row('part: decision to listening', (start) => start.listeningMs - start.decidedMs),
    ],
  };
}
