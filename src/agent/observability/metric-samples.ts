import type { EventCounts } from '../../kubernetes/event-recorder.ts';
import { type Capacity, ringBytes } from '../planner/capacity.ts';
import type { Plan } from '../planner/plan.ts';
import type { CaptureFolders } from '../storage/capture-folders.ts';
import { hasUnknownUnseen } from '../storage/capture-records.ts';
import type { CaptureStatus, CaptureStatuses, KnownStatus } from './capture-status.ts';
import type { MetricSample } from './metrics.ts';

/** What the metrics are made of. It is read when metrics are requested, so no metric has to be kept up to date. */
export type MetricSources = {
  readonly status: Pick<CaptureStatuses, 'all' | 'totals' | 'counts'>;
  readonly plan: () => Plan | undefined;
  readonly folders: Pick<CaptureFolders, 'states'>;
  readonly capacity: () => Capacity;
  /** When the API server last answered, in milliseconds of Unix time; undefined before it first did. */
  readonly lastContactMs: () => number | undefined;
  readonly events: { readonly counts: () => EventCounts };
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
    ...countSamples(sources.status),
    { name: 'podcap_captures_unseen_unknown', value: statuses.filter(isCountingUnseenUnknown).length },
    ...diskSamples(sources),
    ...contactSamples(sources.lastContactMs()),
    ...eventSamples(sources.events.counts()),
    { name: 'podcap_build_info', labels: { version: sources.version }, value: 1 },
    ...processSamples(),
    ...(sources.podMetrics ? statuses.flatMap(podSamples) : []),
  ];
}

function stateSamples(statuses: readonly KnownStatus[], plan: Plan | undefined): MetricSample[] {
  const states = statuses.map(({ status }) => stateOf(status));
  const counts = (['capturing', 'waiting', 'failed', 'refused'] as const).map(
    (state) => [state, states.filter((each) => each === state).length] as const,
  );
  const ended = decisionsOf(plan).filter(({ kind }) => kind === 'keep').length;
  return [...counts, ['ended', ended] as const].map(([state, value]) => ({
    name: 'podcap_captures',
    labels: { state },
    value,
  }));
}

/** tcpdump keeps running while its interface is down, or has another name. */
function stateOf({ kind }: CaptureStatus): CaptureStatus['kind'] {
  return kind === 'interfaceDown' || kind === 'interfaceRenamed' ? 'capturing' : kind;
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
  const { starts, failures } = status.counts();
  const { captured, dropped, lostAtStop, pruned, missed, unseen, duplicated } = status.totals();
  return [
    { name: 'podcap_capture_starts_total', value: starts },
    { name: 'podcap_capture_failures_total', value: failures },
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
  return stateOf(status) === 'capturing' && hasUnknownUnseen(totals);
}

function diskSamples({ folders, plan, capacity }: MetricSources): MetricSample[] {
  const { diskBudgetBytes, minFreeRatio, disk } = capacity();
  const fileBytes = [...folders.states().values()].map(({ bytes }) => bytes);
  const reservedBytes = decisionsOf(plan()).flatMap((decision) =>
    decision.kind === 'record' ? [ringBytes(decision.spec)] : [],
  );
  return [
    { name: 'podcap_capture_files_bytes', value: sum(fileBytes) },
    { name: 'podcap_disk_budget_bytes', value: diskBudgetBytes },
    { name: 'podcap_disk_reserved_bytes', value: sum(reservedBytes) },
    { name: 'podcap_disk_available_ratio', value: disk.availableBytes / disk.capacityBytes },
    { name: 'podcap_disk_min_free_ratio', value: minFreeRatio },
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

function processSamples(): MetricSample[] {
  const { user, system } = process.cpuUsage();
  return [
    { name: 'process_resident_memory_bytes', value: process.memoryUsage.rss() },
    { name: 'process_cpu_seconds_total', value: (user + system) / 1_000_000 },
  ];
}

function podSamples({ pod, totals }: KnownStatus): MetricSample[] {
  const labels = { namespace: pod.namespace, pod: pod.name };
  return [
    { name: 'podcap_pod_packets_captured_total', labels, value: totals.captured },
    { name: 'podcap_pod_packets_dropped_total', labels, value: totals.dropped },
    { name: 'podcap_pod_packets_pruned_total', labels, value: totals.pruned },
    { name: 'podcap_pod_packets_missed_total', labels, value: totals.missed },
    ...(totals.unseen === undefined
      ? []
      : [{ name: 'podcap_pod_packets_unseen_total', labels, value: totals.unseen } as const]),
  ];
}

function decisionsOf(plan: Plan | undefined) {
  return [...(plan?.decisions.values() ?? [])];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
