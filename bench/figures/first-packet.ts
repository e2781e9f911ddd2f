import { type FirstHeard, firstHeard } from '../../end-to-end/support/first-datagram.ts';
import { firstWords, receiver } from '../../end-to-end/support/pod-manifests.ts';
import { type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import type { Figure, Measurement, Measuring } from '../figure.ts';
import { summary } from '../support/statistics.ts';

/** Of the Pods that are created with the annotation, the share whose very first datagram is in a file. */
export const firstPacket: Figure = {
  name: 'first-packet',
  unit: '0 to 1',
  goal: 'each Pod; what is missing is counted',
  runs: 5,
  needs: 'cluster',
  measure,
};

const podsAtOnce = 20;

async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using cluster = await testCluster();
  await cluster.create(receiver({ name: 'receiver' }));
  const { ip } = await cluster.running('receiver');
  const rounds: FirstHeard[][] = [];
  for (let round = 0; round < runs; round += 1) {
    const heard = await createAtOnce(cluster, { round, to: ip });
    rounds.push(heard);
    say(`round ${round + 1} of ${runs}: ${heard.filter(isWhole).length} of ${podsAtOnce}`);
  }
  return measurementOf(rounds);
}

/** Half of them with an init container, which is then the first to send. */
async function createAtOnce(
  cluster: TestCluster,
  { round, to }: { readonly round: number; readonly to: string },
): Promise<FirstHeard[]> {
  const pods = Array.from({ length: podsAtOnce }, (_, i) => ({
    name: `new-${round}-${i}`,
    withInit: i % 2 === 1,
  }));
  await Promise.all(pods.map((pod) => cluster.create(firstWords({ ...pod, to, annotation: '2' }))));
  const running = await Promise.all(pods.map(({ name }) => cluster.running(name)));
  const heard = await Promise.all(running.map(firstHeard));
  await Promise.all(pods.map(({ name }) => cluster.delete(name, '--grace-period=0', '--force')));
  return heard;
}

function isWhole({ first }: FirstHeard): boolean {
  return first === 0;
}

function measurementOf(rounds: readonly FirstHeard[][]): Measurement {
  const values = rounds.map((heard) => heard.filter(isWhole).length / heard.length);
  const all = rounds.flat();
  const late = all.filter((pod) => !isWhole(pod));
  const untold = late.filter(({ first, missedBefore }) => missedBefore < first);
  return {
    isReached: late.length === 0,
    rows: [
      {
        variant: 'podcap',
        parameter: 'share',
        ...summary(values),
        values,
        remark: `${all.length - late.length} of ${all.length} Pods`,
        details: {
          podsAtOnce,
          pods: all.length,
          withFirstPacket: all.length - late.length,
          late: late.map(({ first, missedBefore }) => ({ first, missedBefore })),
          missedBefore: all.map(({ missedBefore }) => missedBefore),
          untold: untold.length,
        },
      },
    ],
  };
}
