import { installPolicies, type Policy } from '../../end-to-end/support/admission-policies.ts';
import { idle } from '../../end-to-end/support/pod-manifests.ts';
import { type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import type { Figure, Measurement, MeasureOptions, Row } from '../figure.ts';
import { rowOf } from '../support/row.ts';
import { median, percentile } from '../support/statistics.ts';

/** What the chart's admission policies add to the most frequent request: the kubelet's update of a Pod's status. */
export const admission: Figure = {
  name: 'admission',
  unit: 'ms',
  goal: 'with both policies, a status update takes at most 1.25 times as long (median)',
  runs: 300,
  needs: 'cluster',
  measure,
};

const maxRatio = 1.25;

const variants: Readonly<Record<string, readonly Policy[]>> = {
  'no policy': [],
  'allowed values': ['allowedValues'],
  'allowed users': ['allowedUsers'],
  both: ['allowedValues', 'allowedUsers'],
};

/** Each variant has its own namespace. Each round updates a Pod in all of them, under the same load of the machine. */
async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  await using setups = await openSetups();
  const rounds = runs + warmUpRounds;
  for (let round = 0; round < rounds; round += 1) {
    // The first update of a round finds the API server's caches colder, so each round starts with another variant.
    const first = round % setups.all.length;
    for (const { values, cluster } of [...setups.all.slice(first), ...setups.all.slice(0, first)]) {
      values.push(await statusUpdateMs(cluster, round));
    }
    if (round % 100 === 99) report(`${round + 1} of ${rounds} rounds`);
  }
  const medians = setups.all.map(({ values }) => median(values.slice(warmUpRounds)));
  const [withoutPolicy = Number.NaN] = medians;
  const rows = setups.all.map(({ variant, values }) =>
    rowWithRatio(variant, values.slice(warmUpRounds), withoutPolicy),
  );
  return { isReached: (medians.at(-1) ?? Number.NaN) <= maxRatio * withoutPolicy, rows };
}

const warmUpRounds = 50;

async function openSetups() {
  await using opening = new AsyncDisposableStack();
  const all: { variant: string; cluster: TestCluster; values: number[] }[] = [];
  for (const [variant, policies] of Object.entries(variants)) {
    const cluster = opening.use(await testCluster());
    if (policies.length > 0) opening.use(await installPolicies(cluster, ...policies));
    await cluster.create(idle({ name: 'web', spec: { schedulerName: 'none' } }));
    all.push({ variant, cluster, values: [] });
  }
  const opened = opening.move();
  return { all, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function statusUpdateMs({ client, namespace }: TestCluster, round: number): Promise<number> {
  const path = `/api/v1/namespaces/${namespace}/pods/web/status`;
  const condition = { type: 'Ready', status: 'False', message: `round ${round}` };
  const startMs = performance.now();
  await client.patch({ path, body: { status: { conditions: [condition] } } });
  return round3(performance.now() - startMs);
}

function rowWithRatio(variant: string, values: readonly number[], withoutPolicy: number): Row {
  return {
    ...rowOf(variant, 'Pod status update', values),
    p90: percentile(values, 90),
    remark: `${(median(values) / withoutPolicy).toFixed(2)} times as long as without a policy`,
  };
}

function round3(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
