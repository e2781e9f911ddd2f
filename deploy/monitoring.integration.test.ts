import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { built } from '../tools/go-program.ts';
import { render } from './testing/render-chart.ts';
import { documentedScrapeConfiguration } from './testing/scrape-configuration.ts';

const folder = join(import.meta.dirname, 'chart/monitoring');
let promtool: (...args: readonly string[]) => Promise<string>;
beforeAll(async () => {
  const path = await built('promtool');
  promtool = async (...args) => {
    const { stdout, stderr } = await promisify(execFile)(path, args, { cwd: import.meta.dirname });
    return stdout + stderr;
  };
});

test('promtool accepts the alert rules', async () => {
  expect(await promtool('check', 'rules', '--lint-fatal', join(folder, 'alerts.yaml'))).toContain('SUCCESS');
});

test('each alert fires when it should, and not otherwise', async () => {
  expect(await promtool('test', 'rules', 'alerts.test.yaml')).toContain('SUCCESS');
});

test('every alert has a case in which it fires and one in which it does not', async () => {
  const rules = await readFile(join(folder, 'alerts.yaml'), 'utf8');
  const tests = await readFile(join(import.meta.dirname, 'alerts.test.yaml'), 'utf8');
  const names = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  expect(names).not.toEqual([]);
  for (const name of names) {
    expect(tests).toMatch(new RegExp(`eval_time: \\w+, alertname: ${name} }`));
    expect(tests).toMatch(new RegExp(`alertname: ${name}\\n +exp_alerts:`));
  }
});

test('each alert about an agent names its Node, or its address if the scrape adds no Node', async () => {
  const rules = await readFile(join(folder, 'alerts.yaml'), 'utf8');
  const unnamed = rules
    .split('- alert: ')
    .slice(1)
    .filter((rule) => !rule.includes('Node {{ or $labels.node $labels.instance }}'))
    .map((rule) => rule.split('\n')[0]);
  // These count Nodes from outside, or have no agent to name; or they are about the hub.
  expect(unnamed.filter((name) => !name?.startsWith('PodcapHub'))).toEqual([
    'PodcapAgentNotReady',
    'PodcapUpdateStuck',
    'PodcapAbsent',
  ]);
  const monitor = (await render('-', 'podMonitor: { enabled: true }')).output;
  expect(monitor).toMatch(/sourceLabels: \[__meta_kubernetes_pod_node_name\]\n +targetLabel: node\n/);
  expect(monitor).toContain('honorLabels: true');
});

test('Prometheus accepts the scrape configuration of docs/metrics.md', async () => {
  const configuration = await documentedScrapeConfiguration();
  await using scratch = await temporaryFolder();
  const file = join(scratch.path, 'prometheus.yml');
  await writeFile(file, configuration);
  expect(await promtool('check', 'config', file)).toContain('SUCCESS');
  for (const needed of ['job_name: podcap', 'honor_labels: true', 'target_label: node'])
    expect(configuration).toContain(needed);
});

test('every query of the dashboard is valid PromQL, and every panel has its own id', async () => {
  const { panels } = v.parse(
    dashboardSchema,
    JSON.parse(await readFile(join(folder, 'dashboard.json'), 'utf8')),
  );
  const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  expect(queries.length).toBeGreaterThan(panels.length);
  // Grafana replaces $__rate_interval with a duration.
  await Promise.all(
    queries.map((query) =>
      promtool('--experimental', 'promql', 'format', query.replaceAll('$__rate_interval', '5m')),
    ),
  );
  const ids = panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

const dashboardSchema = v.object({
  uid: v.literal('podcap'),
  panels: v.array(
    v.object({ id: v.number(), title: v.string(), targets: v.array(v.object({ expr: v.string() })) }),
  ),
});
