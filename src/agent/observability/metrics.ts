import type { EventCounts } from '../../kubernetes/event-recorder.ts';
import { type Capacity, ringBytes } from '../planner/capacity.ts';
import type { Plan } from '../planner/plan.ts';
import type { FolderState } from '../storage/capture-folders.ts';
import type { CaptureStatus, CaptureStatuses, KnownStatus } from './capture-status.ts';

/** What Prometheus is told; every name, help text and label stands here alone. */
export const metricDescriptions = [
  gauge('podcap_captures', 'Pods by the state of their capture.', ['state']),
  gauge('podcap_captures_refused', 'Pods whose capture is refused, by reason.', ['reason']),
  gauge(
    'podcap_captures_stalled',
    'Captures that record nothing while packets pass, or whose tcpdump does not answer.',
  ),
  counter('podcap_capture_starts_total', 'Starts of tcpdump that captured.'),
  counter('podcap_capture_failures_total', 'Starts of tcpdump that failed, and captures that broke off.'),
  counter('podcap_packets_captured_total', 'Packets written to capture files.'),
  counter('podcap_packets_dropped_total', 'Packets dropped by the kernel because tcpdump did not keep up.'),
  counter(
    'podcap_packets_lost_at_stop_total',
    'Packets received and neither dropped nor in a file when a capture ended.',
  ),
  counter('podcap_packets_pruned_total', 'Packets in capture files that the ring has deleted.'),
  counter(
    'podcap_packets_missed_total',
    'Packets that passed before the first capture and between captures.',
  ),
  counter(
    'podcap_packets_duplicated_total',
    'Packets that a capture and the one that took over from it both have: they count twice as captured.',
  ),
  gauge('podcap_capture_files_bytes', 'Bytes of all capture files on this Node.'),
  gauge('podcap_disk_budget_bytes', 'The most disk that all captures of this Node may take.'),
  gauge('podcap_disk_reserved_bytes', 'What the running captures may take.'),
  gauge('podcap_disk_available_ratio', "Available share of the captures' disk, as the kubelet counts it."),
  gauge('podcap_disk_min_free_ratio', "The share of the captures' disk that is never used."),
  gauge('podcap_api_last_contact_timestamp_seconds', 'When the API server was heard last, in Unix time.'),
  counter('podcap_events_total', 'Events by what became of them.', ['result']),
  gauge('podcap_build_info', 'The version of the agent; the value is 1.', ['version']),
  gauge('process_resident_memory_bytes', 'Resident memory of the agent, without its tcpdump processes.'),
  counter('process_cpu_seconds_total', 'CPU time of the agent, without its tcpdump processes.'),
  counter('podcap_pod_packets_captured_total', 'As podcap_packets_captured_total, by Pod.', [
    'namespace',
    'pod',
  ]),
  counter('podcap_pod_packets_dropped_total', 'As podcap_packets_dropped_total, by Pod.', [
    'namespace',
    'pod',
  ]),
  counter('podcap_pod_packets_pruned_total', 'As podcap_packets_pruned_total, by Pod.', ['namespace', 'pod']),
  counter('podcap_pod_packets_missed_total', 'As podcap_packets_missed_total, by Pod.', ['namespace', 'pod']),
] as const;

type MetricName = (typeof metricDescriptions)[number]['name'];
type Labels = Readonly<Record<string, string>>;
export type MetricSample = { readonly name: MetricName; readonly labels?: Labels; readonly value: number };

/** All that the metrics are made of; read when they are asked for, so that nothing is kept up between. */
export type MetricSources = {
  readonly status: Pick<CaptureStatuses, 'all' | 'totals' | 'counts'>;
  readonly plan: Plan | undefined;
  readonly folders: ReadonlyMap<string, FolderState>;
  readonly capacity: Capacity;
  readonly lastContactMs: number | undefined;
  readonly events: EventCounts;
  readonly version: string;
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  /** Whether the names of Pods may be told. */
  readonly byPod: boolean;
};

export function samplesOf(measured: MetricSources): MetricSample[] {
  const { status, plan, folders, capacity, events } = measured;
  const statuses = status.all();
  const { captured, dropped, lostAtStop, pruned, missed, duplicated } = status.totals();
  const specs = [...(plan?.decisions.values() ?? [])].flatMap((decision) =>
    decision.kind === 'record' ? [decision.spec] : [],
  );
  return [
    ...captureSamples(statuses, plan),
    { name: 'podcap_captures_stalled', value: statuses.filter(({ isStalled }) => isStalled).length },
    { name: 'podcap_capture_starts_total', value: status.counts().starts },
    { name: 'podcap_capture_failures_total', value: status.counts().failures },
    { name: 'podcap_packets_captured_total', value: captured },
    { name: 'podcap_packets_dropped_total', value: dropped },
    { name: 'podcap_packets_lost_at_stop_total', value: lostAtStop },
    { name: 'podcap_packets_pruned_total', value: pruned },
    { name: 'podcap_packets_missed_total', value: missed },
    { name: 'podcap_packets_duplicated_total', value: duplicated },
    { name: 'podcap_capture_files_bytes', value: sum([...folders.values()].map(({ bytes }) => bytes)) },
    { name: 'podcap_disk_budget_bytes', value: capacity.diskBudgetBytes },
    { name: 'podcap_disk_reserved_bytes', value: sum(specs.map(ringBytes)) },
    {
      name: 'podcap_disk_available_ratio',
      value: capacity.disk.availableBytes / capacity.disk.capacityBytes,
    },
    { name: 'podcap_disk_min_free_ratio', value: capacity.minFreeRatio },
    ...(measured.lastContactMs === undefined
      ? []
      : [
          {
            name: 'podcap_api_last_contact_timestamp_seconds',
            value: measured.lastContactMs / 1_000,
          } as const,
        ]),
    ...(['written', 'dropped', 'suppressed', 'failed'] as const).map(
      (result) => ({ name: 'podcap_events_total', labels: { result }, value: events[result] }) as const,
    ),
    { name: 'podcap_build_info', labels: { version: measured.version }, value: 1 },
    { name: 'process_resident_memory_bytes', value: measured.memoryBytes },
    { name: 'process_cpu_seconds_total', value: measured.cpuSeconds },
    ...(measured.byPod ? statuses.flatMap(podSamples) : []),
  ];
}

function captureSamples(statuses: readonly KnownStatus[], plan: Plan | undefined): MetricSample[] {
  const kinds = statuses.map(({ status }) => status);
  const ended = [...(plan?.decisions.values() ?? [])].filter(({ kind }) => kind === 'keep').length;
  const states = (['capturing', 'waiting', 'failed', 'refused'] as const).map(
    (state) => [state, kinds.filter((status) => stateOf(status) === state).length] as const,
  );
  const refusals = Map.groupBy(
    kinds.flatMap((status) => (status.kind === 'refused' ? [status.refusal.reason] : [])),
    (reason) => reason,
  );
  return [
    ...[...states, ['ended', ended] as const].map(
      ([state, value]) => ({ name: 'podcap_captures', labels: { state }, value }) as const,
    ),
    ...[...refusals].map(
      ([reason, those]) =>
        ({ name: 'podcap_captures_refused', labels: { reason }, value: those.length }) as const,
    ),
  ];
}

/** tcpdump runs on while its interface is down. */
function stateOf({ kind }: CaptureStatus): CaptureStatus['kind'] {
  return kind === 'interfaceDown' ? 'capturing' : kind;
}

function podSamples({ pod, totals }: KnownStatus): MetricSample[] {
  const labels = { namespace: pod.namespace, pod: pod.name };
  return [
    { name: 'podcap_pod_packets_captured_total', labels, value: totals.captured },
    { name: 'podcap_pod_packets_dropped_total', labels, value: totals.dropped },
    { name: 'podcap_pod_packets_pruned_total', labels, value: totals.pruned },
    { name: 'podcap_pod_packets_missed_total', labels, value: totals.missed },
  ];
}

/** The text format that Prometheus reads, version 0.0.4. */
export function metricsText(samples: readonly MetricSample[]): string {
  const byName = Map.groupBy(samples, ({ name }) => name);
  return metricDescriptions
    .flatMap(({ name, help, type }) => {
      const those = byName.get(name) ?? [];
      if (those.length === 0) return [];
      return [`# HELP ${name} ${help}\n`, `# TYPE ${name} ${type}\n`, ...those.map(sampleLine)];
    })
    .join('');
}

function sampleLine({ name, labels = {}, value }: MetricSample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function gauge<Name extends string>(name: Name, help: string, labels: readonly string[] = []) {
  return { name, help, labels, type: 'gauge' } as const;
}

function counter<Name extends string>(name: Name, help: string, labels: readonly string[] = []) {
  return { name, help, labels, type: 'counter' } as const;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
