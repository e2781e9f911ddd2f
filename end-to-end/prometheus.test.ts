import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { expect } from 'vitest';
import { nodes } from '../cluster/layout.ts';
import { metricDescriptions } from '../src/agent/observability/metrics.ts';
import { captureAnnotation } from '../src/agent/planner/annotations.ts';
import { until } from '../src/base/until.ts';
import { built } from '../tools/go-program.ts';
import { checkout } from '../tools/target.ts';
import { agentSettings } from './support/agent-daemonset.ts';
import { agentOn } from './support/agents.ts';
import { capturedPod, sendCaptured } from './support/captured-pod.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { idle } from './support/pod-manifests.ts';
import { type AlertRule, type Prometheus, type Sample, startPrometheus } from './support/prometheus.ts';
import { kubectl } from './support/run-kubectl.ts';

// A real Prometheus scrapes the agents as docs/metrics.md says, and evaluates the chart's alert rules. It is built at its
// first use, which takes minutes.

const onEachNode = nodes.map(({ name }) => name);
const hubReplicas = 2;

const test = clusterTest
  .extend('settings', { scope: 'file' }, async ({}, { onCleanup }) => {
    const settings = await agentSettings();
    onCleanup(() => settings[Symbol.asyncDispose]());
    return settings;
  })
  .extend(
    'prometheus',
    { scope: 'file' },
    async ({ cluster, settings }, { onCleanup }): Promise<Prometheus> => {
      await settings.change('--pod-metrics=true');
      const prometheus = await startPrometheus(cluster);
      onCleanup(() => prometheus[Symbol.asyncDispose]());
      return prometheus;
    },
  );

test('Prometheus scrapes the agent of every Node, and names the Node, and every replica of the hub', {
  timeout: 1_200_000,
}, async ({ prometheus }) => {
  const targets = await until(
    async () => {
      const found = await prometheus.targets();
      // An agent that was replaced stays a target until its Pod is gone.
      const isComplete = found.length === nodes.length + hubReplicas;
      return isComplete && found.every(({ health }) => health === 'up') && found;
    },
    { what: 'every agent and every replica to be scraped', deadlineMs: 60_000, everyMs: 200 },
  );
  const scraped = targets.map(({ labels }) => `${labels['job']} on ${labels['node']}`);
  const agents = onEachNode.map((node) => `podcap on ${node}`);
  const replicas = Array(hubReplicas).fill('podcap-hub on undefined');
  expect(scraped.toSorted()).toEqual([...agents, ...replicas]);
  const pods = targets.flatMap(({ labels }) => (labels['job'] === 'podcap-hub' ? labels['pod'] : []));
  for (const pod of pods) expect(pod).toMatch(/^podcap-hub-/);
  const up = await prometheus.query('up{job="podcap"}');
  const ups = up.map(({ metric, value: [, value] }) => `${metric['node']} ${value}`);
  expect(ups.toSorted()).toEqual(onEachNode.map((node) => `${node} 1`));
});

test('it evaluates every alert rule of the chart', async ({ prometheus }) => {
  const alerts = await readFile(join(checkout, 'deploy/chart/monitoring/alerts.yaml'), 'utf8');
  const names = [...alerts.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  const rules = await until(
    async () => {
      const found = await prometheus.rules();
      return found.every(({ health }) => health !== 'unknown') && found;
    },
    { what: 'every rule to be evaluated', deadlineMs: 30_000, everyMs: 200 },
  );
  expect(rules.map(({ name, health }) => [name, health])).toEqual(names.map((name) => [name, 'ok']));
  expect(rules.find(({ name }) => name === 'PodcapAgentNotScraped')?.state).toBe('inactive');
});

test('PodcapCaptureRefused fires while a capture is refused, and is resolved when the annotation is corrected', async ({
  cluster,
  prometheus,
}) => {
  const rule = 'PodcapCaptureRefused';
  await ruleWhen(prometheus, rule, ({ alerts }) => alerts.length === 0);
  const pod = await cluster.start(idle({ name: 'wrong', node: 'node2', annotation: '0' }));
  await cluster.event(pod.uid, 'InvalidAnnotation');
  const { alerts } = await ruleWhen(prometheus, rule, ({ state }) => state === 'firing');
  expect(alerts).toHaveLength(1);
  expect(alerts[0]?.labels).toEqual({
    alertname: rule,
    severity: 'warning',
    reason: 'InvalidAnnotation',
    job: 'podcap',
    node: 'node2',
    instance: expect.stringMatching(/^10\.244\.\d+\.\d+:9781$/),
  });
  expect(alerts[0]?.annotations).toEqual({
    summary: 'Captures are refused: InvalidAnnotation',
    description: expect.stringContaining(
      'On Node node2, 1 of the captures that annotations request are refused',
    ),
  });
  await cluster.annotate('wrong', { [captureAnnotation]: '1' });
  await cluster.event(pod.uid, 'CaptureStarted');
  expect((await ruleWhen(prometheus, rule, ({ state }) => state === 'inactive')).alerts).toEqual([]);
});

test('every query of the dashboard finds something, and those by Pod find the captured Pod', async ({
  cluster,
  receiver,
  prometheus,
}) => {
  const captured = await capturedPod(cluster, 'web');
  await sendCaptured(cluster, captured, { receiver });
  const refused = await cluster.start(idle({ name: 'refused', node: 'node1', annotation: '0' }));
  await cluster.event(refused.uid, 'InvalidAnnotation');
  await askHub(cluster.namespace);
  for (const query of await dashboardQueries()) {
    const isByPod = query.includes('by (namespace, pod)');
    const isWeb = ({ metric }: Sample) =>
      metric['namespace'] === cluster.namespace && metric['pod'] === 'web';
    await until(async () => (await prometheus.query(query)).some(isByPod ? isWeb : () => true), {
      what: `a result of ${query}`,
      deadlineMs: 30_000,
      everyMs: 200,
    });
  }
});

test('Prometheus stores every metric of docs/metrics.md, and promtool finds nothing to improve in them', async ({
  prometheus,
}) => {
  const described = metricDescriptions.map(({ name }) => name);
  await until(
    async () => {
      const stored = await prometheus.query('count by (__name__) ({job="podcap"})');
      const names = new Set(stored.map(({ metric }) => metric['__name__']));
      return described.every((name) => names.has(name));
    },
    { what: 'a sample of every metric', deadlineMs: 30_000, everyMs: 200 },
  );
  const promtool = await built('promtool');
  for (const node of onEachNode) {
    const path = `/api/v1/namespaces/kube-system/pods/${await agentOn(node)}:9781/proxy/metrics`;
    const metrics = await kubectl('get', '--raw', path);
    const checking = promisify(execFile)(promtool, ['check', 'metrics']);
    checking.child.stdin?.end(metrics);
    expect(await checking).toEqual({ stdout: '', stderr: '' });
    const reported = [...metrics.matchAll(/^# HELP (\S+)/gm)].map(([, metric]) => metric);
    expect(reported).toContain('podcap_build_info');
    expect(described).toEqual(expect.arrayContaining(reported));
  }
});

/** Lists captures, and opens a stream that is served and one that is refused. */
async function askHub(namespace: string): Promise<void> {
  await kubectl('-n', namespace, 'get', 'captures');
  const captures = `/apis/podcap.dev/v1alpha1/namespaces/${namespace}/captures`;
  await kubectl('get', '--raw', `${captures}/web/log`);
  await expect(kubectl('get', '--raw', `${captures}/none/log`)).rejects.toThrow('NotFound');
}

/** Waits for the rule to be as `predicate` says. */
async function ruleWhen(
  { rules }: Prometheus,
  name: string,
  predicate: (rule: AlertRule) => boolean,
): Promise<AlertRule> {
  return await until(
    async () => {
      const rule = (await rules()).find((each) => each.name === name);
      return rule && predicate(rule) && rule;
    },
    { what: `the rule ${name}`, deadlineMs: 60_000, everyMs: 200 },
  );
}

/** As Grafana sends them, for all Nodes. */
async function dashboardQueries(): Promise<string[]> {
  const file = await readFile(join(checkout, 'deploy/chart/monitoring/dashboard.json'), 'utf8');
  const queries = v.parse(dashboardSchema, JSON.parse(file)).panels.flatMap(({ targets }) => targets);
  return queries.map(({ expr }) => expr.replaceAll('$__rate_interval', '1m').replaceAll('$node', '.*'));
}

const dashboardSchema = v.object({
  panels: v.array(v.object({ targets: v.array(v.object({ expr: v.string() })) })),
});
