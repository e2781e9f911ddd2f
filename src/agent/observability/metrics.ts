import { counter, gauge, prometheusText, type SampleOf } from '../../observability/prometheus-text.ts';

/** Every metric of the agent, in the order of /metrics: names, help texts and labels are only here. */
export const metricDescriptions = [
  gauge('podcap_captures', 'Pods by state of their capture.', ['state']),
  gauge('podcap_captures_refused', 'Pods whose capture is refused, by reason.', ['reason']),
  gauge(
    'podcap_captures_stalled',
    'Captures that write nothing while packets pass, or whose tcpdump does not respond.',
  ),
  gauge(
    'podcap_captured_interfaces',
    'Interfaces of which a tcpdump runs, or starts: Pods can have several.',
  ),
  gauge('podcap_captures_limit', 'The most interfaces that may be captured on this Node at a time.'),
  counter('podcap_capture_starts_total', 'Times that tcpdump started to capture.'),
  counter('podcap_capture_failures_total', 'Times that a capture failed to start, or ended with an error.'),
  counter('podcap_freezes_total', 'Times that the ring of a Pod was frozen.'),
  counter(
    'podcap_freezes_missed_total',
    'Times that something happened that freezes a ring, and nothing was frozen: within a minute of the last time, or for lack of capacity.',
  ),
  counter('podcap_packets_captured_total', 'Packets written to capture files.'),
  counter('podcap_packets_dropped_total', 'Packets that the kernel dropped because tcpdump did not keep up.'),
  counter(
    'podcap_packets_lost_at_stop_total',
    'Packets that were received and not dropped, but were not in a file when their capture ended.',
  ),
  counter('podcap_packets_pruned_total', 'Captured packets whose file the ring deleted to keep newer ones.'),
  counter('podcap_packets_missed_total', 'Packets that passed before the first capture or between captures.'),
  counter(
    'podcap_packets_unseen_total',
    'Packets that interfaces counted but no packet socket gets, at least: a Pod can send past tcpdump. podcap_captures_unseen_unknown is the number of Pods for which that is not known.',
  ),
  gauge(
    'podcap_captures_unseen_unknown',
    'Pods whose unseen packets may be counted only in part: their interface counts differently from sockets, they have a filter, or their capture has just started.',
  ),
  counter(
    'podcap_packets_duplicated_total',
    'Packets that two captures wrote while one replaced the other. podcap_packets_captured_total counts them twice.',
  ),
  gauge('podcap_capture_files_bytes', 'Size of all capture files on this Node.'),
  gauge('podcap_frozen_rings', 'Frozen rings on this Node, with those that are still being frozen.'),
  gauge('podcap_frozen_rings_bytes', 'Size of the capture files in frozen rings.'),
  gauge('podcap_disk_budget_bytes', 'The most disk space that all captures of this Node may use.'),
  gauge('podcap_disk_reserved_bytes', 'The most disk space that the running captures can use.'),
  gauge(
    'podcap_disk_available_ratio',
    "The share of the captures' disk that is available, measured as the kubelet does.",
  ),
  gauge('podcap_disk_min_free_ratio', "The share of the captures' disk that captures must leave free."),
  gauge(
    'podcap_receive_ring_bytes',
    "Kernel memory of the running captures' receive rings, where packets wait for tcpdump.",
  ),
  gauge(
    'podcap_receive_ring_budget_bytes',
    'The most kernel memory that all receive rings of this Node may use.',
  ),
  gauge(
    'podcap_cni_cache_pods',
    "Pods with an entry in this Node's CNI cache, even if they are gone. The agent finds the network of no other Pod.",
  ),
  gauge('podcap_api_last_contact_timestamp_seconds', 'Unix time at which the API server last answered.'),
  counter('podcap_events_total', 'Events by result.', ['result']),
  gauge('podcap_taps', 'Live captures that are watched through the hub.'),
  gauge('podcap_taps_limit', 'The most live captures of Pods of this Node at a time; 0 without a hub.'),
  counter(
    'podcap_tap_packets_dropped_total',
    'Packets that a live capture did not send: by the kernel, or because its reader was too slow.',
  ),
  gauge('podcap_hub_endpoints', 'Addresses of the hub; 0 without a hub.'),
  gauge('podcap_hub_links', 'Addresses of the hub to which the agent is connected.'),
  counter(
    'podcap_hub_link_failures_total',
    'Attempts to connect to the hub that failed, and connections that ended, by reason.',
    ['reason'],
  ),
  gauge('podcap_build_info', 'Version of the agent; the value is always 1.', ['version']),
  gauge('process_resident_memory_bytes', 'Resident memory of the agent, without its tcpdump processes.'),
  counter('process_cpu_seconds_total', 'CPU time of the agent, without its tcpdump processes.'),
  podCounter('podcap_pod_packets_captured_total', 'podcap_packets_captured_total by Pod.'),
  podCounter('podcap_pod_packets_dropped_total', 'podcap_packets_dropped_total by Pod.'),
  podCounter('podcap_pod_packets_lost_at_stop_total', 'podcap_packets_lost_at_stop_total by Pod.'),
  podCounter('podcap_pod_packets_pruned_total', 'podcap_packets_pruned_total by Pod.'),
  podCounter('podcap_pod_packets_missed_total', 'podcap_packets_missed_total by Pod.'),
  podCounter(
    'podcap_pod_packets_unseen_total',
    'podcap_packets_unseen_total by Pod; none while it is unknown.',
  ),
  podGauge('podcap_pod_capture_files_bytes', 'podcap_capture_files_bytes by Pod.'),
  podGauge(
    'podcap_pod_oldest_packet_timestamp_seconds',
    'Unix time of the oldest packet in the capture files: how far back they reach.',
  ),
] as const;

export type MetricName = (typeof metricDescriptions)[number]['name'];

/** One value of a metric at this moment. */
export type MetricSample = SampleOf<MetricName>;

/** The samples in the text format that Prometheus reads. */
export function metricsText(samples: readonly MetricSample[]): string {
  return prometheusText(metricDescriptions, samples);
}

function podGauge<Name extends string>(name: Name, help: string) {
  return gauge(name, help, ['namespace', 'pod']);
}

function podCounter<Name extends string>(name: Name, help: string) {
  return counter(name, help, ['namespace', 'pod']);
}
