import { receiver } from '../../end-to-end/support/pod-manifests.ts';
import { testCluster } from '../../end-to-end/support/test-cluster.ts';
import type { Figure, Measurement, Measuring, Row } from '../figure.ts';
import { type Completeness, completeness } from '../support/completeness.ts';
import { type Deletion, deletePods, rate } from '../support/pod-deletion.ts';
import { summary } from '../support/statistics.ts';

/**
 * Of the datagrams that a Pod's interface carried in its last 200 ms, the share that is in a file, for Pods that are
 * deleted while something sends on their interface until it goes.
 */
export const lastDatagram: Figure = {
  name: 'last-datagram',
  unit: '0 to 1',
  goal: 'every datagram up to the last, in every deletion',
  runs: 100,
  needs: 'cluster',
  measure,
};

const lastMs = 200;
const podsAtOnce = 5;

/** By force a Pod leaves the API before its containers end: the agent must go on without it. */
const methods = [
  { parameter: `last ${lastMs} ms`, prefix: 'ending', how: [] },
  { parameter: `last ${lastMs} ms, by force`, prefix: 'forced', how: ['--grace-period=0', '--force'] },
] as const;

type DeletionMethod = (typeof methods)[number];

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using cluster = await testCluster();
  await cluster.create(receiver({ name: 'receiver' }));
  const { ip } = await cluster.running('receiver');
  const rows: Row[] = [];
  let isReached = true;
  for (const method of methods) {
    const deletions: Deletion[] = [];
    while (deletions.length < runs) {
      const names = namesFrom(method, deletions.length, Math.min(podsAtOnce, runs - deletions.length));
      deletions.push(...(await deletePods(cluster, { names, to: ip, how: method.how })));
      say(`${method.parameter}: ${completeOf(deletions.map(captured))} complete`);
    }
    isReached &&= deletions.every((deletion) => captured(deletion).isComplete);
    rows.push(
      rowOf('podcap', method, deletions.map(captured), deletions),
      rowOf('tcpdump', method, deletions.map(capturedPlainly), deletions),
    );
  }
  return { isReached, rows };
}

function namesFrom({ prefix }: DeletionMethod, first: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${first + i}`);
}

function captured({ carried, inFiles }: Deletion): Completeness {
  return completeness(carried, inFiles, (rate * lastMs) / 1000);
}

function capturedPlainly({ carried, inPlainFile }: Deletion): Completeness {
  return completeness(carried, inPlainFile, (rate * lastMs) / 1000);
}

function rowOf(
  variant: string,
  { parameter }: DeletionMethod,
  all: readonly Completeness[],
  deletions: readonly Deletion[],
): Row {
  const values = all.map(({ lastShare }) => lastShare);
  return {
    variant,
    parameter,
    ...summary(values),
    values,
    remark: `${completeOf(all)} complete`,
    details: {
      packetsPerSecond: rate,
      complete: all.filter(({ isComplete }) => isComplete).length,
      carried: deletions.map(({ carried }) => carried.length),
      sentAndNotCarried: deletions.map(({ carried, sent }) => sent - carried.length),
      missing: all.map(({ missing }) => missing),
      missedBefore: all.map(({ missedBefore }) => missedBefore),
      surplus: all.map(({ surplus }) => surplus),
    },
  };
}

function completeOf(all: readonly Completeness[]): string {
  return `${all.filter(({ isComplete }) => isComplete).length} of ${all.length}`;
}
