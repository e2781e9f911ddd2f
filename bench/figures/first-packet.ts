import { namespacePolicies } from '../../end-to-end/support/capture-policies.ts';
import { type FirstDatagram, waitForFirstDatagram } from '../../end-to-end/support/first-datagram.ts';
import { type PodOptions, receiver, startupSender } from '../../end-to-end/support/pod-manifests.ts';
import { type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { rowOf } from '../support/row.ts';

/** Of the Pods that are created with the annotation, or that a policy selects, the share whose very first datagram is in a file. */
export const firstPacket: Figure = {
  name: 'first-packet',
  unit: 'share of Pods, 0 to 1',
  goal: 'every Pod',
  runs: 5,
  needs: 'cluster',
  measure,
};

const podsAtOnce = 20;

/** How the capture of a new Pod is requested. */
const requests = {
  annotation: { annotation: '2' },
  policy: { labels: { app: 'first-packet' } },
} as const satisfies Readonly<Record<string, Pick<PodOptions, 'annotation' | 'labels'>>>;

async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  await using cluster = await testCluster();
  await cluster.create(receiver({ name: 'receiver' }));
  const { ip: to } = await cluster.running('receiver');
  await namespacePolicies(cluster).create('first-packet', requests.policy.labels.app, { files: 2 });
  const rounds = { annotation: new Array<FirstDatagram[]>(), policy: new Array<FirstDatagram[]>() };
  for (let round = 0; round < runs; round += 1) {
    for (const by of ['annotation', 'policy'] as const) {
      const pods = await createAtOnce(cluster, { prefix: `${by}-${round}`, to, request: requests[by] });
      rounds[by].push(pods);
      const captured = pods.filter(hasFirstDatagram).length;
      report(`round ${round + 1} of ${runs}, by ${by}: ${captured} of ${podsAtOnce}`);
    }
  }
  return {
    isReached: Object.values(rounds).flat(2).every(hasFirstDatagram),
    rows: [rowOfRounds('share', rounds.annotation), rowOfRounds('share, by a policy', rounds.policy)],
  };
}

/** Half of the Pods have an init container, which is then the first to send. */
async function createAtOnce(
  cluster: TestCluster,
  {
    prefix,
    to,
    request,
  }: { readonly prefix: string; readonly to: string; readonly request: Partial<PodOptions> },
): Promise<FirstDatagram[]> {
  const pods = Array.from({ length: podsAtOnce }, (_, i) => ({
    name: `${prefix}-${i}`,
    withInit: i % 2 === 1,
  }));
  await Promise.all(pods.map((pod) => cluster.create(startupSender({ ...pod, to, ...request }))));
  const running = await Promise.all(pods.map(({ name }) => cluster.running(name)));
  const first = await Promise.all(running.map(waitForFirstDatagram));
  await Promise.all(pods.map(({ name }) => cluster.delete(name, '--grace-period=0', '--force')));
  return first;
}

function hasFirstDatagram({ first }: FirstDatagram): boolean {
  return first === 0;
}

function rowOfRounds(parameter: string, rounds: readonly FirstDatagram[][]): Row {
  const pods = rounds.flat();
  const late = pods.filter((pod) => !hasFirstDatagram(pod));
  // The agent must have counted at least the datagrams that are missing.
  const unreported = late.filter(({ first, missedBefore }) => missedBefore < first);
  const withFirstPacket = pods.length - late.length;
  const shares = rounds.map((round) => round.filter(hasFirstDatagram).length / round.length);
  return {
    ...rowOf('podcap', parameter, shares),
    remark: `${withFirstPacket} of ${pods.length} Pods`,
    details: {
      podsAtOnce,
      pods: pods.length,
      withFirstPacket,
      late: late.map(({ first, missedBefore }) => ({ first, missedBefore })),
      missedBefore: pods.map(({ missedBefore }) => missedBefore),
      unreported: unreported.length,
    },
  };
}
