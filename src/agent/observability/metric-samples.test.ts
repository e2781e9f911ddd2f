import { expect, test } from 'vitest';
import { noLinks } from '../link/hub-links.ts';
import type { FolderState, PodName } from '../storage/capture-folders.ts';
import { noTotals } from '../storage/capture-records.ts';
import { neverFrozen, ringSpecOf, specOf } from '../testing/fixtures.ts';
import { type CaptureStatuses, captureStatuses } from './capture-status.ts';
import { type MetricSources, readSamples } from './metric-samples.ts';
import { metricsText } from './metrics.ts';

const checkout = { namespace: 'shop', name: 'checkout', uid: 'uid-1' };
const recreated = { ...checkout, uid: 'uid-2' };

test('Pods are named only where pod metrics are on', () => {
  const status = captureStatuses([]);
  count(status, checkout, { captured: 7 });
  expect(text({ status, podMetrics: true })).toContain(
    'podcap_pod_packets_captured_total{namespace="shop",pod="checkout"} 7\n',
  );
  const without = text({ status, podMetrics: false });
  expect(without).toContain('podcap_packets_captured_total 7\n');
  expect(without).not.toMatch(/shop|checkout/);
});

test('the metrics of a Pod are its counters, the bytes of its files, and how far back they reach', () => {
  const status = captureStatuses([]);
  count(status, checkout, { captured: 7, dropped: 6, lostAtStop: 5, pruned: 4, missed: 3 });
  const folders = foldersOf(folder(checkout, { bytes: 1_000, oldestPacketMs: 1_700_000_000_500 }));
  expect(podMetricsOf({ status, folders })).toEqual([
    'packets_captured_total 7',
    'packets_dropped_total 6',
    'packets_lost_at_stop_total 5',
    'packets_pruned_total 4',
    'packets_missed_total 3',
    'packets_unseen_total 0',
    'capture_files_bytes 1000',
    'oldest_packet_timestamp_seconds 1700000000.5',
  ]);
});

test('a Pod and the earlier Pod of its name, whose files are kept, have one series', () => {
  const status = captureStatuses([]);
  count(status, checkout, { captured: 7 });
  count(status, recreated, { captured: 30 });
  const folders = foldersOf(
    folder(checkout, { bytes: 1_000, oldestPacketMs: 60_000 }),
    folder(recreated, { bytes: 200, oldestPacketMs: 90_000 }),
  );
  const metrics = podMetricsOf({ status, folders });
  expect(metrics).toContain('packets_captured_total 37');
  expect(metrics).toContain('capture_files_bytes 1200');
  expect(metrics).toContain('oldest_packet_timestamp_seconds 60');
  expect(new Set(metrics.map((line) => line.split(' ')[0])).size).toBe(metrics.length);
});

test('a Pod whose unseen packets are unknown has no sample of them, and is counted', () => {
  const metricsOf = (totals: Partial<typeof noTotals>) => {
    const status = captureStatuses([]);
    status.report(checkout, {
      kind: 'capturing',
      generation: 1,
      spec: specOf(1),
      missedBefore: { kind: 'first', packets: 0 },
    });
    count(status, checkout, totals);
    return text({ status, podMetrics: true });
  };
  const known = metricsOf({ unseen: 0 });
  expect(known).toContain('podcap_pod_packets_unseen_total{namespace="shop",pod="checkout"} 0\n');
  expect(known).toContain('podcap_captures_unseen_unknown 0\n');
  const unknown = metricsOf({ unseen: undefined });
  expect(unknown).not.toContain('podcap_pod_packets_unseen_total');
  expect(unknown).toContain('podcap_captures_unseen_unknown 1\n');
  const partial = metricsOf({ unseen: 3, isUnseenPartial: true });
  expect(partial).toContain('podcap_packets_unseen_total 3\n');
  expect(partial).toContain('podcap_captures_unseen_unknown 1\n');
});

test('files without packets reach back to no time', () => {
  const folders = foldersOf(folder(checkout, { bytes: 24 }));
  expect(podMetricsOf({ folders })).toEqual(['capture_files_bytes 24']);
});

test('the receive rings are those of all tcpdumps that run, also of one that is replaced', () => {
  const ring = { spec: ringSpecOf(1), silentSinceMs: undefined, isFull: false };
  const recording = () =>
    new Map([
      ['uid-1', { receiveRings: [{ ...ring, kib: 16_384, replacedKib: 4_096 }] }],
      ['uid-2', { receiveRings: [1_024, 2_048, 8_192].map((kib) => ({ ...ring, kib, replacedKib: 0 })) }],
      ['uid-3', { receiveRings: [] }],
    ]);
  const metrics = text({ recording });
  expect(metrics).toContain(
    `podcap_receive_ring_bytes ${(16_384 + 4_096 + 1_024 + 2_048 + 8_192) * 1_024}\n`,
  );
  expect(metrics).toContain('podcap_captured_interfaces 4\n');
  expect(metrics).toContain(`podcap_receive_ring_budget_bytes ${capacity.bufferBudgetBytes}\n`);
});

test('the limits of the Node and the size of its CNI cache are reported', () => {
  expect(text({})).toContain(`podcap_captures_limit ${capacity.maxCaptures}\n`);
  expect(text({ networks: { count: () => 12 } })).toContain('podcap_cni_cache_pods 12\n');
});

test('links to the hub are counted, and failures by reason', () => {
  const failures = new Map([['Refused', 3]] as const);
  const metrics = text({ hub: () => ({ hubs: 2, connected: 1, failures }) });
  expect(metrics).toContain('podcap_hub_endpoints 2\n');
  expect(metrics).toContain('podcap_hub_links 1\n');
  expect(metrics).toContain('podcap_hub_link_failures_total{reason="Refused"} 3\n');
  expect(metrics).toContain('podcap_hub_link_failures_total{reason="Silent"} 0\n');
});

const capacity = {
  maxCaptures: 250,
  diskBudgetBytes: 1,
  bufferBudgetBytes: 1_100_000_000,
  bufferBytes: 2_097_152,
  fixedBufferKib: undefined,
  minFreeRatio: 0,
  disk: { availableBytes: 1, capacityBytes: 1 },
};

function count(status: CaptureStatuses, pod: PodName, totals: Partial<typeof noTotals>): void {
  status.count(pod, { totals: { ...noTotals, ...totals }, isStalled: false });
}

function folder(pod: PodName, state: Partial<FolderState>): FolderState {
  return {
    pod,
    files: 1,
    bytes: 0,
    largestBytes: 0,
    ...neverFrozen,
    capturedMs: 0,
    endedMs: undefined,
    ...state,
  };
}

function foldersOf(...states: readonly FolderState[]): MetricSources['folders'] {
  return { states: () => new Map(states.map((state) => [state.pod.uid, state])) };
}

/** Each metric per Pod without the start of its name and without its labels. */
function podMetricsOf(sources: Partial<MetricSources>): string[] {
  const lines = text({ ...sources, podMetrics: true }).matchAll(
    /^podcap_pod_(\w+)\{namespace="shop",pod="checkout"\} (\S+)$/gm,
  );
  return [...lines].map(([, name, value]) => `${name} ${value}`);
}

function text(sources: Partial<MetricSources>): string {
  return metricsText(
    readSamples({
      status: captureStatuses([]),
      plan: () => undefined,
      folders: { states: () => new Map() },
      networks: { count: () => 0 },
      recording: () => new Map(),
      capacity: () => capacity,
      lastContactMs: () => undefined,
      events: { counts: () => ({ written: 0, dropped: 0, suppressed: 0, failed: 0 }) },
      hub: () => noLinks,
      taps: () => ({ open: 0, limit: 0, dropped: 0 }),
      version: '1.2.3',
      podMetrics: false,
      ...sources,
    }),
  );
}
