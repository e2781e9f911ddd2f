import { testCluster } from '../test/support/cluster.ts';
import { receiver } from '../test/support/pods.ts';
import { type Completeness, completeness } from './completeness.ts';
import { type Deletion, deletePods, rate } from './deletion.ts';
import type { Figure, Measurement, Measuring, Row } from './figure.ts';
import { summary } from './statistics.ts';

/**
 * Of the datagrams that a Pod's interface carried in its last 200 ms, the share that is in a file, for Pods that are
 * deleted while something sends on their interface until it goes.
 */
export const lastDatagram: Figure = {
  name: 'last-datagram',
  unit: '0 to 1',
  goal: 'every datagram up to the last, in every deletion',
  runs: 100,
  measure,
};

const lastMs = 200;
const podsAtOnce = 5;

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using cluster = await testCluster();
  await cluster.create(receiver({ name: 'receiver' }));
  const { ip } = await cluster.running('receiver');
  const deletions: Deletion[] = [];
  while (deletions.length < runs) {
    const names = namesFrom(deletions.length, Math.min(podsAtOnce, runs - deletions.length));
    deletions.push(...(await deletePods(cluster, { names, to: ip })));
    const complete = deletions.filter((deletion) => captured(deletion).isComplete).length;
    say(`${complete} of ${deletions.length} deletions complete`);
  }
  return measurementOf(deletions);
}

function namesFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `ending-${first + i}`);
}

function captured({ carried, inFiles }: Deletion): Completeness {
  return completeness(carried, inFiles, (rate * lastMs) / 1000);
}

function capturedPlainly({ carried, inPlainFile }: Deletion): Completeness {
  return completeness(carried, inPlainFile, (rate * lastMs) / 1000);
}

function measurementOf(deletions: readonly Deletion[]): Measurement {
  const ours = deletions.map(captured);
  return {
    isReached: ours.every(({ isComplete }) => isComplete),
    rows: [rowOf('podcap', ours), rowOf('tcpdump', deletions.map(capturedPlainly))],
  };
}

function rowOf(variant: string, all: readonly Completeness[]): Row {
  const values = all.map(({ lastShare }) => lastShare);
  return {
    variant,
    parameter: `last ${lastMs} ms`,
    ...summary(values),
    values,
    remark: `${all.filter(({ isComplete }) => isComplete).length} of ${all.length} complete`,
    details: {
      packetsPerSecond: rate,
      complete: all.filter(({ isComplete }) => isComplete).length,
      missing: all.map(({ missing }) => missing),
      missedBefore: all.map(({ missedBefore }) => missedBefore),
      surplus: all.map(({ surplus }) => surplus),
    },
  };
}
