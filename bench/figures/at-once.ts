import { setTimeout as sleep } from 'node:timers/promises';
import { agentOn } from '../../end-to-end/support/agents.ts';
import type { RunningPod } from '../../end-to-end/support/namespace-pods.ts';
import { type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { type AgentLog, followLog } from '../support/agent-log.ts';
import { idlePods } from '../support/idle-pods.ts';
import { rowOf } from '../support/row.ts';

/** From the first to the last listening capture, when all Pods of a Node are annotated at once. */
export const atOnce: Figure = {
  name: 'at-once',
  unit: 'ms',
  goal: '<= 1,000 for 100 Pods on one Node (median)',
  runs: 10,
  needs: 'cluster',
  measure,
};

const node = 'node1';
const podCount = 100;
const maxMedianMs = 1_000;

/** Milliseconds of the epoch. */
type AnnotationRound = {
  /** Before the first annotation was sent. */
  readonly sentMs: number;
  /** After the response to the last annotation. */
  readonly acceptedMs: number;
  /** When each capture listened. */
  readonly listeningMs: readonly number[];
};

async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  await using cluster = await testCluster();
  const pods = await idlePods(cluster, { node, from: 0, to: podCount });
  await using log = await followLog(cluster.client, await agentOn(node));
  const rounds: AnnotationRound[] = [];
  while (rounds.length < runs) {
    const round = await annotateAll(cluster, log, pods);
    rounds.push(round);
    report(`round ${rounds.length} of ${runs}: ${firstToLastMs(round)} ms`);
  }
  return measurementOf(rounds);
}

async function annotateAll(
  cluster: TestCluster,
  log: AgentLog,
  pods: readonly RunningPod[],
): Promise<AnnotationRound> {
  // By then the Events of the previous round are written.
  await sleep(3_000);
  const sentMs = Date.now();
  await Promise.all(pods.map(({ name }) => cluster.annotate(name, '2')));
  const acceptedMs = Date.now();
  const started = await Promise.all(
    pods.map(({ uid }) => log.line({ message: 'capture started', uid, fromMs: sentMs })),
  );
  const removedMs = Date.now();
  await Promise.all(pods.map(({ name }) => cluster.annotate(name, null)));
  await Promise.all(pods.map(({ uid }) => log.line({ message: 'captures deleted', uid, fromMs: removedMs })));
  return { sentMs, acceptedMs, listeningMs: started.map(({ time }) => time) };
}

function firstToLastMs({ listeningMs }: AnnotationRound): number {
  return Math.max(...listeningMs) - Math.min(...listeningMs);
}

function measurementOf(rounds: readonly AnnotationRound[]): Measurement {
  const row = (parameter: string, msOf: (round: AnnotationRound) => number): Row =>
    rowOf('podcap', parameter, rounds.map(msOf));
  const firstToLast = row('first to last capture listening', firstToLastMs);
  return {
    isReached: firstToLast.median <= maxMedianMs,
    rows: [
      firstToLast,
      row(
        'first request to last capture listening',
        ({ sentMs, listeningMs }) => Math.max(...listeningMs) - sentMs,
      ),
      row('part: first request to last response', ({ sentMs, acceptedMs }) => acceptedMs - sentMs),
    ],
  };
}
