import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { load } from '../../cluster/load-images.ts';
import { writeProgramImage } from '../../cluster/program-image.ts';
import { documentedScrapeConfiguration } from '../../deploy/testing/scrape-configuration.ts';
import { until } from '../../src/base/until.ts';
import { built } from '../../tools/go-program.ts';
import { checkout } from '../../tools/target.ts';
import { kubectl } from './run-kubectl.ts';
import type { TestCluster } from './test-cluster.ts';

/** A Prometheus server on the cluster. Disposing removes its permissions; its Pod ends with the namespace. */
export type Prometheus = AsyncDisposable & {
  /** The targets that it scrapes. */
  readonly targets: () => Promise<Target[]>;
  /** The alert rules, and the alerts that are pending or firing now. */
  readonly rules: () => Promise<AlertRule[]>;
  /** The result of a PromQL query now. */
  readonly query: (promql: string) => Promise<Sample[]>;
};

export type Target = v.InferOutput<typeof targetSchema>;
export type AlertRule = v.InferOutput<typeof ruleSchema>;
export type Sample = v.InferOutput<typeof sampleSchema>;

/** What differs from production: tests do not wait for minutes. */
const everySecond = 'global: { scrape_interval: 1s, evaluation_interval: 1s }\n';

const image = 'localhost/prometheus:local';

/**
 * Starts Prometheus in the namespace of a test, with the scrape configuration of docs/metrics.md and the alert rules of
 * the chart. Only the `for` of each rule is shortened, to 1 s: expressions, labels and annotations are the chart's own.
 * Builds Prometheus at its first use, which takes minutes.
 */
export async function startPrometheus(cluster: TestCluster): Promise<Prometheus> {
  const { client, namespace } = cluster;
  await loadImage();
  const rights = await permitDiscovery(cluster);
  const alerts = await readFile(join(checkout, 'deploy/chart/monitoring/alerts.yaml'), 'utf8');
  const data = {
    'prometheus.yml': `${everySecond}rule_files: [alerts.yaml]\n${await documentedScrapeConfiguration()}`,
    'alerts.yaml': alerts.replaceAll(/^( +for:) \w+$/gm, '$1 1s'),
  };
  const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
  await client.create({ path: configMaps, body: { metadata: { name: 'prometheus' }, data } });
  await cluster.start({ metadata: { name: 'prometheus', annotations: {} }, spec });
  const api = `/api/v1/namespaces/${namespace}/pods/prometheus:9090/proxy`;
  const read = async (path: string) => JSON.parse(await kubectl('get', '--raw', `${api}${path}`));
  await until(async () => kubectl('get', '--raw', `${api}/-/ready`).catch(() => undefined), {
    what: 'Prometheus to be ready',
    deadlineMs: 60_000,
    everyMs: 100,
  });
  return {
    targets: async () =>
      v.parse(targetsSchema, await read('/api/v1/targets?state=active')).data.activeTargets,
    rules: async () =>
      v.parse(rulesSchema, await read('/api/v1/rules?type=alert')).data.groups.flatMap(({ rules }) => rules),
    query: async (promql) =>
      v.parse(querySchema, await read(`/api/v1/query?query=${encodeURIComponent(promql)}`)).data.result,
    [Symbol.asyncDispose]: () => rights[Symbol.asyncDispose](),
  };
}

async function loadImage(): Promise<void> {
  const archive = join(checkout, 'build/prometheus.tar');
  await mkdir(join(checkout, 'build'), { recursive: true });
  const program = await built('prometheus');
  await writeProgramImage(archive, { name: image, program, entrypoint: ['/prometheus'] });
  await load([archive], { say: () => {} });
}

/** Lets Prometheus find Pods. The configuration names no namespace, so it lists those of all. */
async function permitDiscovery({ client, namespace }: TestCluster): Promise<AsyncDisposable> {
  const name = `prometheus-${namespace}`;
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }];
  await client.create({ path: `${rbac}/clusterroles`, body: { metadata: { name }, rules } });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
  const subjects = [{ kind: 'ServiceAccount', name: 'default', namespace }];
  const binding = { metadata: { name }, roleRef, subjects };
  await client.create({ path: `${rbac}/clusterrolebindings`, body: binding });
  return {
    async [Symbol.asyncDispose]() {
      await kubectl('delete', `clusterrole/${name}`, `clusterrolebinding/${name}`);
    },
  };
}

const spec = {
  terminationGracePeriodSeconds: 1,
  containers: [
    {
      name: 'prometheus',
      image,
      imagePullPolicy: 'Never',
      args: ['--config.file=/etc/prometheus/prometheus.yml', '--storage.tsdb.path=/data'],
      volumeMounts: [
        { name: 'config', mountPath: '/etc/prometheus' },
        { name: 'data', mountPath: '/data' },
      ],
    },
  ],
  volumes: [
    { name: 'config', configMap: { name: 'prometheus' } },
    { name: 'data', emptyDir: {} },
  ],
};

const labelsSchema = v.record(v.string(), v.string());
const targetSchema = v.object({ labels: labelsSchema, health: v.string(), lastError: v.string() });
const targetsSchema = v.object({ data: v.object({ activeTargets: v.array(targetSchema) }) });
const alertSchema = v.object({ state: v.string(), labels: labelsSchema, annotations: labelsSchema });
const ruleSchema = v.object({
  name: v.string(),
  state: v.string(),
  health: v.string(),
  lastError: v.optional(v.string()),
  alerts: v.array(alertSchema),
});
const rulesSchema = v.object({
  data: v.object({ groups: v.array(v.object({ rules: v.array(ruleSchema) })) }),
});
const sampleSchema = v.object({ metric: labelsSchema, value: v.tuple([v.number(), v.string()]) });
const querySchema = v.object({ data: v.object({ result: v.array(sampleSchema) }) });
