import type { EventCounts } from '../../kubernetes/event-recorder.ts';
import type { LinkCounts } from '../link/hub-links.ts';
import { linkFailureReasons } from '../link/link-failure.ts';
import type { PodNetworks } from '../netns/pod-networks.ts';
import type { Capacity } from '../planner/capacity.ts';
import type { Plan } from '../planner/decisions.ts';
import { ringsSizeOf } from '../planner/fit-to-capacity.ts';
import type { RunningRecording } from '../planner/node-state.ts';
import type { TapTotals } from '../serving/taps/taps.ts';
import type { CaptureFolders, FolderState, PodName } from '../storage/capture-folders.ts';
import { addTotals, hasUnknownUnseen, noTotals } from '../storage/capture-records.ts';
import { ringsBytes } from '../storage/ring-size.ts';
import { captureStates, podStates } from './capture-states.ts';
import type { CaptureStatuses, KnownStatus } from './capture-status.ts';
import type { MetricSample } from './metrics.ts';

/** What the metrics are made of. It is read when metrics are requested, so no metric has to be kept up to date. */
export type MetricSources = {
  readonly status: Pick<CaptureStatuses, 'all' | 'totals' | 'counts'>;
  readonly plan: () => Plan | undefined;
  readonly folders: Pick<CaptureFolders, 'states'>;
  /** What is being recorded, by UID. */
  readonly recording: () => ReadonlyMap<string, Pick<RunningRecording, 'receiveRings'>>;
  readonly networks: Pick<PodNetworks, 'count'>;
  readonly capacity: () => Capacity;
  /** When the API server last answered, in milliseconds of Unix time; undefined before it first did. */
  readonly lastContactMs: () => number | undefined;
  readonly events: { readonly counts: () => EventCounts };
  readonly hub: () => LinkCounts;
  readonly taps: () => TapTotals;
  readonly version: string;
  /** Whether metrics may name namespaces and Pods. */
  readonly podMetrics: boolean;
};

/** Every metric of the agent at this moment. */
export function readSamples(sources: MetricSources): MetricSample[] {
  const statuses = sources.status.all();
  return [
    ...stateSamples(statuses, sources.plan()),
    ...refusalSamples(statuses),
    { name: 'podcap_captures_stalled', value: statuses.filter(({ isStalled }) => isStalled).length },
    { name: 'podcap_captured_interfaces', value: capturedInterfaces(sources) },
    { name: 'podcap_captures_limit', value: sources.capacity().maxCaptures },
    ...countSamples(sources.status),
    { name: 'podcap_captures_unseen_unknown', value: statuses.filter(isCountingUnseenUnknown).length },
    ...diskSamples(sources),
    ...receiveRingSamples(sources),
    { name: 'podcap_cni_cache_pods', value: sources.networks.count() },
    ...contactSamples(sources.lastContactMs()),
    ...eventSamples(sources.events.counts()),
    ...tapSamples(sources.taps()),
    ...hubSamples(sources.hub()),
    { name: 'podcap_build_info', labels: { version: sources.version }, value: 1 },
    ...processSamples(),
    ...(sources.podMetrics ? podSamples(statuses, [...sources.folders.states().values()]) : []),
  ];
}

function stateSamples(statuses: readonly KnownStatus[], plan: Plan | undefined): MetricSample[] {
  const states = podStates(statuses, plan);
  return captureStates.map((state) => ({
    name: 'podcap_captures',
    labels: { state },
    value: states.filter((each) => each.state === state).length,
  }));
}

function refusalSamples(statuses: readonly KnownStatus[]): MetricSample[] {
  const reasons = statuses.flatMap(({ status }) =>
    status.kind === 'refused' ? [status.refusal.reason] : [],
  );
  return [...Map.groupBy(reasons, (reason) => reason)].map(([reason, { length }]) => ({
    name: 'podcap_captures_refused',
    labels: { reason },
    value: length,
  }));
}

function countSamples(status: Pick<CaptureStatuses, 'totals' | 'counts'>): MetricSample[] {
  const { starts, failures, freezes, notFrozen } = status.counts();
  const { captured, dropped, lostAtStop, pruned, missed, unseen, duplicated } = status.totals();
  return [
    { name: 'podcap_capture_starts_total', value: starts },
    { name: 'podcap_capture_failures_total', value: failures },
    { name: 'podcap_freezes_total', value: freezes },
    { name: 'podcap_freezes_missed_total', value: notFrozen },
    { name: 'podcap_packets_captured_total', value: captured },
    { name: 'podcap_packets_dropped_total', value: dropped },
    { name: 'podcap_packets_lost_at_stop_total', value: lostAtStop },
    { name: 'podcap_packets_pruned_total', value: pruned },
    { name: 'podcap_packets_missed_total', value: missed },
    { name: 'podcap_packets_unseen_total', value: unseen ?? 0 },
    { name: 'podcap_packets_duplicated_total', value: duplicated },
  ];
}

function isCountingUnseenUnknown({ status, totals }: KnownStatus): boolean {
  const isCapturing = ['capturing', 'interfaceDown', 'interfaceRenamed'].includes(status.kind);
  return isCapturing && hasUnknownUnseen(totals);
}

function diskSamples({ folders, plan, capacity }: MetricSources): MetricSample[] {
  const { diskBudgetBytes, minFreeRatio, disk } = capacity();
  const states = [...folders.states().values()];
  const fileBytes = states.map(({ bytes }) => bytes);
  const current = plan();
  const reservedBytes = [...(current?.decisions ?? [])].flatMap(([uid, decision]) => {
    if (decision.kind !== 'record' && decision.kind !== 'wait') return [];
    return [
      ringsBytes({ ...ringsSizeOf(decision.spec), freezes: current?.freezeCapacity.get(uid) === 'enough' }),
    ];
  });
  return [
    { name: 'podcap_capture_files_bytes', value: sum(fileBytes) },
    { name: 'podcap_frozen_rings', value: sum(states.map(({ freezes }) => freezes.rings.length)) },
    { name: 'podcap_frozen_rings_bytes', value: sum(states.map(({ frozenBytes }) => frozenBytes)) },
    { name: 'podcap_disk_budget_bytes', value: diskBudgetBytes },
    { name: 'podcap_disk_reserved_bytes', value: sum(reservedBytes) },
    { name: 'podcap_disk_available_ratio', value: disk.availableBytes / disk.capacityBytes },
    { name: 'podcap_disk_min_free_ratio', value: minFreeRatio },
  ];
}

/** Each counts towards the limit once, also while one tcpdump replaces another. */
function capturedInterfaces({ recording }: MetricSources): number {
  return sum([...recording().values()].map(({ receiveRings }) => receiveRings.length));
}

/** Those of tcpdumps that replace others are counted, too. */
function receiveRingSamples({ recording, capacity }: MetricSources): MetricSample[] {
  const kib = [...recording().values()].flatMap(({ receiveRings }) =>
    receiveRings.map((ring) => ring.kib + ring.replacedKib),
  );
  return [
    { name: 'podcap_receive_ring_bytes', value: sum(kib) * 1_024 },
    { name: 'podcap_receive_ring_budget_bytes', value: capacity().bufferBudgetBytes },
  ];
}

/** None before the first contact: 0 would be a time. */
function contactSamples(lastContactMs: number | undefined): MetricSample[] {
  if (lastContactMs === undefined) return [];
  return [{ name: 'podcap_api_last_contact_timestamp_seconds', value: lastContactMs / 1_000 }];
}

function eventSamples(counts: EventCounts): MetricSample[] {
  return (['written', 'dropped', 'suppressed', 'failed'] as const).map((result) => ({
    name: 'podcap_events_total',
    labels: { result },
    value: counts[result],
  }));
}

function tapSamples({ open, limit, dropped }: TapTotals): MetricSample[] {
  return [
    { name: 'podcap_taps', value: open },
    { name: 'podcap_taps_limit', value: limit },
    { name: 'podcap_tap_packets_dropped_total', value: dropped },
  ];
}

function hubSamples(counts: LinkCounts): MetricSample[] {
  return [
    { name: 'podcap_hub_endpoints', value: counts.hubs },
    { name: 'podcap_hub_links', value: counts.connected },
    ...linkFailureReasons.map((reason) => ({
      name: 'podcap_hub_link_failures_total' as const,
      labels: { reason },
      value: counts.failures.get(reason) ?? 0,
    })),
  ];
}

function processSamples(): MetricSample[] {
  const { user, system } = process.cpuUsage();
  return [
    { name: 'process_resident_memory_bytes', value: process.memoryUsage.rss() },
    { name: 'process_cpu_seconds_total', value: (user + system) / 1_000_000 },
  ];
}

/**
 * A recreated Pod can have the name of one whose files are kept: there is one series for both. Two with the same labels
 * would be an error in the format.
 */
function podSamples(statuses: readonly KnownStatus[], folders: readonly FolderState[]): MetricSample[] {
  const counters = byName(statuses).flatMap(([labels, known]) => podCounterSamples(labels, known));
  const files = byName(folders).flatMap(([labels, states]) => podFileSamples(labels, states));
  return [...counters, ...files];
}

function podCounterSamples(labels: PodLabels, known: readonly KnownStatus[]): MetricSample[] {
  const all = known.reduce((total, { totals }) => addTotals(total, totals), noTotals);
  return podCounters.flatMap(([name, counter]) => {
    const value = all[counter];
    return value === undefined ? [] : [{ name, labels, value }];
  });
}

/** No time if there is no packet. */
function podFileSamples(labels: PodLabels, states: readonly FolderState[]): MetricSample[] {
  const oldestMs = Math.min(...states.flatMap(({ oldestPacketMs }) => oldestPacketMs ?? []));
  const bytes = sum(states.map((state) => state.bytes));
  const samples: MetricSample[] = [{ name: 'podcap_pod_capture_files_bytes', labels, value: bytes }];
  if (oldestMs === Infinity) return samples;
  return [
    ...samples,
    { name: 'podcap_pod_oldest_packet_timestamp_seconds', labels, value: oldestMs / 1_000 },
  ];
}

const podCounters = [
  ['podcap_pod_packets_captured_total', 'captured'],
  ['podcap_pod_packets_dropped_total', 'dropped'],
  ['podcap_pod_packets_lost_at_stop_total', 'lostAtStop'],
  ['podcap_pod_packets_pruned_total', 'pruned'],
  ['podcap_pod_packets_missed_total', 'missed'],
  ['podcap_pod_packets_unseen_total', 'unseen'],
] as const;

type PodLabels = { readonly namespace: string; readonly pod: string };

function byName<Of extends { readonly pod: PodName }>(all: readonly Of[]): [PodLabels, Of[]][] {
  const groups = Map.groupBy(all, ({ pod }) => `${pod.namespace}/${pod.name}`);
  return [...groups].map(([name, group]) => {
    const [namespace = '', pod = ''] = name.split('/');
    return [{ namespace, pod }, group];
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
