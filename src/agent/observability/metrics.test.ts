import { expect, test } from 'vitest';
import { noTotals } from '../storage/capture-records.ts';
import { captureStatuses } from './capture-status.ts';
import { metricsText, samplesOf } from './metrics.ts';

function textWith(byPod: boolean): string {
  const status = captureStatuses([]);
  const pod = { namespace: 'shop', name: 'checkout', uid: 'uid-1' };
  status.count(pod, { totals: { ...noTotals, captured: 7 }, isStalled: false });
  return metricsText(
    samplesOf({
      status,
      plan: undefined,
      folders: new Map(),
      capacity: {
        maxCaptures: 1,
        diskBudgetBytes: 1,
        bufferBudgetBytes: 1,
        bufferBytes: 1,
        minFreeRatio: 0,
        disk: { availableBytes: 1, capacityBytes: 1 },
      },
      lastContactMs: undefined,
      events: { written: 0, dropped: 0, suppressed: 0, failed: 0 },
      version: '1.2.3',
      memoryBytes: 1,
      cpuSeconds: 1,
      byPod,
    }),
  );
}

test('a Pod is named only where that is asked for', () => {
  expect(textWith(true)).toContain('podcap_pod_packets_captured_total{namespace="shop",pod="checkout"} 7\n');
  const text = textWith(false);
  expect(text).toContain('podcap_packets_captured_total 7\n');
  expect(text).not.toMatch(/shop|checkout/);
});
