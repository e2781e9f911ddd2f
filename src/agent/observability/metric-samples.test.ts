import { expect, test } from 'vitest';
import { noTotals } from '../storage/capture-records.ts';
import { captureStatuses } from './capture-status.ts';
import { readSamples } from './metric-samples.ts';
import { metricsText } from './metrics.ts';

test('Pods are named only where pod metrics are on', () => {
  expect(textWith(true)).toContain('podcap_pod_packets_captured_total{namespace="shop",pod="checkout"} 7\n');
  const text = textWith(false);
  expect(text).toContain('podcap_packets_captured_total 7\n');
  expect(text).not.toMatch(/shop|checkout/);
});

function textWith(podMetrics: boolean): string {
  const status = captureStatuses([]);
  const pod = { namespace: 'shop', name: 'checkout', uid: 'uid-1' };
  status.count(pod, { totals: { ...noTotals, captured: 7 }, isStalled: false });
  const capacity = {
    maxCaptures: 1,
    diskBudgetBytes: 1,
    bufferBudgetBytes: 1,
    bufferBytes: 1,
    minFreeRatio: 0,
    disk: { availableBytes: 1, capacityBytes: 1 },
  };
  return metricsText(
    readSamples({
      status,
      plan: () => undefined,
      folders: { states: () => new Map() },
      capacity: () => capacity,
      lastContactMs: () => undefined,
      events: { counts: () => ({ written: 0, dropped: 0, suppressed: 0, failed: 0 }) },
      version: '1.2.3',
      podMetrics,
    }),
  );
}
