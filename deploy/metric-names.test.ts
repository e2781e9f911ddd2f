import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { metricDescriptions } from '../src/agent/observability/metrics.ts';

/** How the dashboard and the alert rules name the agent's metrics; kube_ and up are others'. */
const metric = /\b(?:podcap|process)_[a-z_]+\b/g;

let queries: string;
beforeAll(async () => {
  const files = ['dashboard.json', 'alerts.yaml'].map((name) => {
    return readFile(join(import.meta.dirname, 'chart/monitoring', name), 'utf8');
  });
  queries = (await Promise.all(files)).join('\n');
});

test('dashboard and alert rules ask only for metrics that the agent has', () => {
  const known = new Set<string>(metricDescriptions.map(({ name }) => name));
  const used = new Set(queries.match(metric));
  expect(used.size).toBeGreaterThan(20);
  expect([...used].filter((name) => !known.has(name))).toEqual([]);
});

test('they take the rate of counters, and of nothing else', () => {
  const counters = new Set<string>(
    metricDescriptions.filter(({ type }) => type === 'counter').map(({ name }) => name),
  );
  const rated = new Set([...queries.matchAll(/\b(?:rate|increase)\((\w+)/g)].map(([, name = '']) => name));
  expect([...rated].filter((name) => !counters.has(name))).toEqual([]);
  const others = new Set(queries.replaceAll(/\b(?:rate|increase)\(\w+/g, '').match(metric));
  expect([...others].filter((name) => counters.has(name))).toEqual([]);
});
