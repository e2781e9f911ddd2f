import { expect, test } from 'vitest';
import { noTotals, type Totals } from '../storage/capture-records.ts';
import { specOf } from '../testing/fixtures.ts';
import { captureStatuses } from './capture-status.ts';
import { readSamples } from './metric-samples.ts';
import { metricsText } from './metrics.ts';

test('Pods are named only where pod metrics are on', () => {
  expect(textWith(true)).toContain('podcap_pod_packets_captured_total{namespace="shop",pod="checkout"} 7\n');
  const text = textWith(false);
  expect(text).toContain('podcap_packets_captured_total 7\n');
  expect(text).not.toMatch(/shop|checkout/);
});

test('a Pod whose unseen packets are unknown has no sample of them, and is counted', () => {
  const known = textWith(true, { unseen: 0 });
  expect(known).toContain('podcap_pod_packets_unseen_total{namespace="shop",pod="checkout"} 0\n');
  expect(known).toContain('podcap_captures_unseen_unknown 0\n');
  const unknown = textWith(true, { unseen: undefined });
  expect(unknown).not.toContain('podcap_pod_packets_unseen_total');
  expect(unknown).toContain('podcap_captures_unseen_unknown 1\n');
  const partial = textWith(true, { unseen: 3, isUnseenPartial: true });
  expect(partial).toContain('podcap_packets_unseen_total 3\n');
  expect(partial).toContain('podcap_captures_unseen_unknown 1\n');
});

function textWith(podMetrics: boolean, totals: Partial<Totals> = {}): string {
  const status = captureStatuses([]);
  const pod = { namespace: 'shop', name: 'checkout', uid: 'uid-1' };
  status.report(pod, { kind: 'capturing', generation: 1, spec: specOf(1), missedBefore: 0 });
  status.count(pod, { totals: { ...noTotals, captured: 7, ...totals }, isStalled: false });
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
