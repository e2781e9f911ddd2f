import { installPolicies, type Policy } from '../../end-to-end/support/admission-policies.ts';
import { idle } from '../../end-to-end/support/pod-manifests.ts';
import { type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import type { Figure, Measurement, Measuring, Row } from '../figure.ts';
import { median, percentile, summary } from '../support/statistics.ts';

/** What the chart's admission policies cost the request that there is most of: the kubelet's, of a Pod's status. */
export const admission: Figure = {
  name: 'admission',
  unit: 'ms',
  goal: 'a status update takes at most 1.25 times as long with both policies, in the median',
  runs: 300,
  needs: 'cluster',
  measure,
};

const mostTimes = 1.25;

const variants: Readonly<Record<string, readonly Policy[]>> = {
  'no policy': [],
  'allowed values': ['allowedValues'],
  'allowed users': ['allowedUsers'],
  both: ['allowedValues', 'allowedUsers'],
};

/** A namespace for each variant, and a round through all of them at a time: the machine is then the same for each. */
async function measure({ runs, say }: Measuring): Promise<Measurement> {
  await using scenes = await openScenes();
  const rounds = runs + warmUps;
  for (let round = 0; round < rounds; round += 1) {
    // Another one begins each time: the first of a round finds the API server's caches colder.
    const turn = round % scenes.all.length;
    for (const { values, cluster } of [...scenes.all.slice(turn), ...scenes.all.slice(0, turn)]) {
      values.push(await statusUpdateMs(cluster, round));
    }
    if (round % 100 === 99) say(`${round + 1} of ${rounds} rounds`);
  }
  const medians = scenes.all.map(({ values }) => median(values.slice(warmUps)));
  const [without = Number.NaN] = medians;
  const rows = scenes.all.map(({ variant, values }) => rowOf(variant, values.slice(warmUps), without));
  return { isReached: (medians.at(-1) ?? Number.NaN) <= mostTimes * without, rows };
}

const warmUps = 50;

async function openScenes() {
  await using opened = new AsyncDisposableStack();
  const all: { variant: string; cluster: TestCluster; values: number[] }[] = [];
  for (const [variant, policies] of Object.entries(variants)) {
    const cluster = opened.use(await testCluster());
    if (policies.length > 0) opened.use(await installPolicies(cluster, ...policies));
    await cluster.create(idle({ name: 'web', spec: { schedulerName: 'none' } }));
    all.push({ variant, cluster, values: [] });
  }
  const disposables = opened.move();
  return { all, [Symbol.asyncDispose]: () => disposables.disposeAsync() };
}

async function statusUpdateMs({ client, namespace }: TestCluster, round: number): Promise<number> {
  const path = `/api/v1/namespaces/${namespace}/pods/web/status`;
  const condition = { type: 'Ready', status: 'False', message: `round ${round}` };
  const started = performance.now();
  await client.patch({ path, body: { status: { conditions: [condition] } } });
  return round3(performance.now() - started);
}

function rowOf(variant: string, values: readonly number[], without: number): Row {
  return {
    variant,
    parameter: 'update of the status of a Pod',
    ...summary(values),
    p90: percentile(values, 90),
    values,
    remark: `${(median(values) / without).toFixed(2)} times that without`,
  };
}

function round3(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
