import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { metricDescriptions } from '../src/agent/observability/metrics.ts';
import { hubMetricDescriptions } from '../src/hub/observability/hub-metric-names.ts';
import type { MetricDescription } from '../src/observability/prometheus-text.ts';

const descriptions: readonly MetricDescription[] = [...metricDescriptions, ...hubMetricDescriptions];
/** Our metrics in the dashboard and the alert rules. kube_*, aggregator_* and up come from elsewhere. */
const metric = /\b(?:podcap|process)_[a-z_]+\b/g;

let queries: string;
beforeAll(async () => {
  const files = ['dashboard.json', 'alerts.yaml'].map((name) => {
    return readFile(join(import.meta.dirname, 'chart/monitoring', name), 'utf8');
  });
  queries = (await Promise.all(files)).join('\n');
});

test('the dashboard and the alert rules query only metrics that the agent and the hub have', () => {
  const known = new Set(descriptions.flatMap(namesIn));
  const used = new Set(queries.match(metric));
  expect(used.size).toBeGreaterThan(20);
  expect([...used].filter((name) => !known.has(name))).toEqual([]);
});

test('they take the rate of every counter, and of nothing else', () => {
  const counters = new Set(descriptions.filter(({ type }) => type !== 'gauge').flatMap(namesIn));
  const rated = new Set([...queries.matchAll(/\b(?:rate|increase)\((\w+)/g)].map(([, name = '']) => name));
  expect([...rated].filter((name) => !counters.has(name))).toEqual([]);
  const others = new Set(queries.replaceAll(/\b(?:rate|increase)\(\w+/g, '').match(metric));
  expect([...others].filter((name) => counters.has(name))).toEqual([]);
});

test('the dashboard uses only variables that it defines, and those of Grafana', async () => {
  const file = await readFile(join(import.meta.dirname, 'chart/monitoring/dashboard.json'), 'utf8');
  const defined = [...file.matchAll(/^ {8}"name": "(\w+)",\n {8}"label":/gm)].map(([, name = '']) => name);
  expect(defined).toEqual(['datasource', 'node']);
  const used = new Set([...file.matchAll(/\$\{?(\w+)/g)].map(([, name = '']) => name));
  expect([...used].toSorted()).toEqual(['__all', '__rate_interval', ...defined].toSorted());
});

/** Those of its series. */
function namesIn({ name, type }: MetricDescription): string[] {
  return type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name];
}
