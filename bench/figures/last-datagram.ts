import { receiver } from '../../end-to-end/support/pod-manifests.ts';
import { testCluster } from '../../end-to-end/support/test-cluster.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { type Completeness, completeness } from '../support/completeness.ts';
import { type Deletion, datagramsPerSecond, deletePods } from '../support/pod-deletion.ts';
import { rowOf } from '../support/row.ts';

/**
 * Of the datagrams that passed a Pod's interface in its last 200 ms, the share that is in a file. The Pods are deleted
 * while datagrams are sent on their interface until it is gone.
 */
export const lastDatagram: Figure = {
  name: 'last-datagram',
  unit: 'share of datagrams, 0 to 1',
  goal: 'every datagram up to the last, in every deletion',
  runs: 100,
  needs: 'cluster',
  measure,
};

const lastMs = 200;
const lastDatagrams = (datagramsPerSecond * lastMs) / 1_000;
const podsAtOnce = 5;

/** A Pod that is deleted by force leaves the API before its containers end: the agent must finish without it. */
const methods = [
  { parameter: `last ${lastMs} ms`, prefix: 'ending', deleteOptions: [] },
  {
    parameter: `last ${lastMs} ms, deleted by force`,
    prefix: 'forced',
    deleteOptions: ['--grace-period=0', '--force'],
  },
] as const;

type DeletionMethod = (typeof methods)[number];

async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  await using cluster = await testCluster();
  await cluster.create(receiver({ name: 'receiver' }));
  const { ip } = await cluster.running('receiver');
  const rows: Row[] = [];
  let isReached = true;
  for (const method of methods) {
    const { parameter, deleteOptions } = method;
    const deletions: Deletion[] = [];
    while (deletions.length < runs) {
      const names = namesFrom(method, deletions.length, Math.min(podsAtOnce, runs - deletions.length));
      deletions.push(...(await deletePods(cluster, { names, to: ip, deleteOptions })));
      report(`${parameter}: ${completeOf(deletions.map(ofPodcap))} complete`);
    }
    isReached &&= deletions.every((deletion) => ofPodcap(deletion).isComplete);
    rows.push(
      rowOfDeletions({ variant: 'podcap', parameter }, deletions, deletions.map(ofPodcap)),
      rowOfDeletions({ variant: 'tcpdump', parameter }, deletions, deletions.map(ofPlainTcpdump)),
    );
  }
  return { isReached, rows };
}

function namesFrom({ prefix }: DeletionMethod, first: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${first + i}`);
}

function ofPodcap({ witnessed, inFiles }: Deletion): Completeness {
  return completeness(witnessed, inFiles, lastDatagrams);
}

function ofPlainTcpdump({ witnessed, inPlainFile }: Deletion): Completeness {
  return completeness(witnessed, inPlainFile, lastDatagrams);
}

function rowOfDeletions(
  { variant, parameter }: Pick<Row, 'variant' | 'parameter'>,
  deletions: readonly Deletion[],
  captured: readonly Completeness[],
): Row {
  return {
    ...rowOf(
      variant,
      parameter,
      captured.map(({ lastShare }) => lastShare),
    ),
    remark: `${completeOf(captured)} complete`,
    details: {
      packetsPerSecond: datagramsPerSecond,
      complete: captured.filter(({ isComplete }) => isComplete).length,
      witnessed: deletions.map(({ witnessed }) => witnessed.length),
      sentNotWitnessed: deletions.map(({ witnessed, sent }) => sent - witnessed.length),
      missing: captured.map(({ missing }) => missing),
      missedBefore: captured.map(({ missedBefore }) => missedBefore),
      surplus: captured.map(({ surplus }) => surplus),
    },
  };
}

function completeOf(captured: readonly Completeness[]): string {
  return `${captured.filter(({ isComplete }) => isComplete).length} of ${captured.length}`;
}
