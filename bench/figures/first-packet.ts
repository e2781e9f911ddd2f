import { type FirstDatagram, waitForFirstDatagram } from '../../end-to-end/support/first-datagram.ts';
import { receiver, startupSender } from '../../end-to-end/support/pod-manifests.ts';
import { type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import type { Figure, Measurement, MeasureOptions } from '../figure.ts';
import { rowOf } from '../support/row.ts';

/** Of the Pods that are created with the annotation, the share whose very first datagram is in a file. */
export const firstPacket: Figure = {
  name: 'first-packet',
  unit: 'share of Pods, 0 to 1',
  goal: 'every Pod',
  runs: 5,
  needs: 'cluster',
  measure,
};

const podsAtOnce = 20;

async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  await using cluster = await testCluster();
  await cluster.create(receiver({ name: 'receiver' }));
  const { ip } = await cluster.running('receiver');
  const rounds: FirstDatagram[][] = [];
  for (let round = 0; round < runs; round += 1) {
    const pods = await createAtOnce(cluster, { round, to: ip });
    rounds.push(pods);
    report(`round ${round + 1} of ${runs}: ${pods.filter(hasFirstDatagram).length} of ${podsAtOnce}`);
  }
  return measurementOf(rounds);
}

/** Half of the Pods have an init container, which is then the first to send. */
async function createAtOnce(
  cluster: TestCluster,
  { round, to }: { readonly round: number; readonly to: string },
): Promise<FirstDatagram[]> {
  const pods = Array.from({ length: podsAtOnce }, (_, i) => ({
    name: `new-${round}-${i}`,
    withInit: i % 2 === 1,
  }));
  await Promise.all(pods.map((pod) => cluster.create(startupSender({ ...pod, to, annotation: '2' }))));
  const running = await Promise.all(pods.map(({ name }) => cluster.running(name)));
  const first = await Promise.all(running.map(waitForFirstDatagram));
  await Promise.all(pods.map(({ name }) => cluster.delete(name, '--grace-period=0', '--force')));
  return first;
}

function hasFirstDatagram({ first }: FirstDatagram): boolean {
  return first === 0;
}

function measurementOf(rounds: readonly FirstDatagram[][]): Measurement {
  const pods = rounds.flat();
  const late = pods.filter((pod) => !hasFirstDatagram(pod));
  // The agent must have counted at least the datagrams that are missing.
  const unreported = late.filter(({ first, missedBefore }) => missedBefore < first);
  const withFirstPacket = pods.length - late.length;
  const shares = rounds.map((round) => round.filter(hasFirstDatagram).length / round.length);
  return {
    isReached: late.length === 0,
    rows: [
      {
        ...rowOf('podcap', 'share', shares),
        remark: `${withFirstPacket} of ${pods.length} Pods`,
        details: {
          podsAtOnce,
          pods: pods.length,
          withFirstPacket,
          late: late.map(({ first, missedBefore }) => ({ first, missedBefore })),
          missedBefore: pods.map(({ missedBefore }) => missedBefore),
          unreported: unreported.length,
        },
      },
    ],
  };
}
