import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { nodes } from '../cluster/layout.ts';
import { metricDescriptions } from '../src/agent/observability/metrics.ts';
import { built } from '../tools/go-program.ts';
import { agentOn } from './support/agents.ts';
import { kubectl } from './support/run-kubectl.ts';

// promtool is built at its first use, which takes minutes.
test("the agents' metrics are in the format of Prometheus and follow its conventions", {
  timeout: 1_200_000,
}, async () => {
  const promtool = await built('promtool');
  for (const { name } of nodes) {
    const path = `/api/v1/namespaces/kube-system/pods/${await agentOn(name)}:9781/proxy/metrics`;
    const metrics = await kubectl('get', '--raw', path);
    const checking = promisify(execFile)(promtool, ['check', 'metrics']);
    checking.child.stdin?.end(metrics);
    expect(await checking).toEqual({ stdout: '', stderr: '' });
    const reported = [...metrics.matchAll(/^# HELP (\S+)/gm)].map(([, metric]) => metric);
    expect(reported).toContain('podcap_build_info');
    // Not every metric has a sample: perhaps no capture is refused, and the metrics per Pod are off.
    expect(metricDescriptions.map(({ name: metric }) => metric)).toEqual(expect.arrayContaining(reported));
  }
});
