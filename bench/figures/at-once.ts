import { setTimeout as sleep } from 'node:timers/promises';
import {
  agentOn,
  type RunningPod,
  type TestCluster,
  testCluster,
} from '../../end-to-end/support/test-cluster.ts';
import type { Figure, Measurement, Measuring, Row } from '../figure.ts';
import { type AgentLog, followLog } from '../support/agent-log.ts';
import { idlePods } from '../support/idle-pods.ts';
import { summary } from '../support/statistics.ts';

/** From the first to the last capture that listens, when the Pods of a Node are annotated at once. */
export const atOnce: Figure = {
  name: 'at-once',
  unit: 'ms',
  goal: '<= 1,000 for 100 Pods of one Node, by the median',
  runs: 10,
  needs: 'cluster',
  measure,
};

const node = 'node1';
const pods = 100;
const most = 1_000;

/** Milliseconds of the epoch. */
type Round = {
  /** Before the first annotation was sent, and after the answer to the last one. */
  readonly sentMs: number;
  readonly acceptedMs: number;
  readonly listeningMs: readonly number[];
};

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using cluster = await testCluster();
  const running = await idlePods(cluster, { node, from: 0, to: pods });
  await using log = await followLog(cluster.client, await agentOn(node));
  const rounds: Round[] = [];
  while (rounds.length < runs) {
    const round = await annotateAll(cluster, log, running);
    rounds.push(round);
    say(`round ${rounds.length} of ${runs}: ${spread(round)} ms`);
  }
  return measurementOf(rounds);
}

async function annotateAll(
  cluster: TestCluster,
  log: AgentLog,
  running: readonly RunningPod[],
): Promise<Round> {
  // The Events of the round before are written by then.
  await sleep(3_000);
  const sentMs = Date.now();
  await Promise.all(running.map(({ name }) => cluster.annotate(name, '2')));
  const acceptedMs = Date.now();
  const started = await Promise.all(
    running.map(({ uid }) => log.line({ message: 'capture started', uid, fromMs: sentMs })),
  );
  const removedMs = Date.now();
  await Promise.all(running.map(({ name }) => cluster.annotate(name, null)));
  await Promise.all(
    running.map(({ uid }) => log.line({ message: 'captures deleted', uid, fromMs: removedMs })),
  );
  return { sentMs, acceptedMs, listeningMs: started.map(({ time }) => time) };
}

function spread({ listeningMs }: Round): number {
  return Math.max(...listeningMs) - Math.min(...listeningMs);
}

function measurementOf(rounds: readonly Round[]): Measurement {
  const whole = rowOf('first to last that listens', rounds, spread);
  return {
    isReached: whole.median <= most,
    rows: [
      whole,
      rowOf(
        'first request to last that listens',
        rounds,
        ({ sentMs, listeningMs }) => Math.max(...listeningMs) - sentMs,
      ),
      rowOf('part: first request to last answer', rounds, ({ sentMs, acceptedMs }) => acceptedMs - sentMs),
    ],
  };
}

function rowOf(parameter: string, rounds: readonly Round[], msOf: (round: Round) => number): Row {
  const values = rounds.map(msOf);
  return { variant: 'podcap', parameter, ...summary(values), values };
}
