import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { nodes } from '../cluster/layout.ts';
import { metricDescriptions } from '../src/agent/observability/metrics.ts';
import { built } from '../tools/go-program.ts';
import { agentOn, kubectl } from './support/test-cluster.ts';

// Its own time: promtool is built at its first use.
test('what the agents tell Prometheus is its format and follows its conventions', {
  timeout: 1_200_000,
}, async () => {
  const promtool = await built('promtool');
  for (const { name } of nodes) {
    const path = `/api/v1/namespaces/kube-system/pods/${await agentOn(name)}:9780/proxy/metrics`;
    const metrics = await kubectl('get', '--raw', path);
    const checking = promisify(execFile)(promtool, ['check', 'metrics']);
    checking.child.stdin?.end(metrics);
    expect(await checking).toEqual({ stdout: '', stderr: '' });
    const told = [...metrics.matchAll(/^# HELP (\S+)/gm)].map(([, metric]) => metric);
    expect(told).toContain('podcap_build_info');
    // Not each has a sample: no capture may be refused, and the Pods' own are off.
    expect(metricDescriptions.map(({ name: metric }) => metric)).toEqual(expect.arrayContaining(told));
  }
});
