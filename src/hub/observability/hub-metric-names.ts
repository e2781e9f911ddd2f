import { counter, gauge, histogram, type SampleOf } from '../../observability/prometheus-text.ts';

/** Every metric of the hub, in the order of /metrics: names, help texts and labels are only here. */
export const hubMetricDescriptions = [
  gauge('podcap_hub_ready', '1 if this replica is ready, otherwise 0.'),
  gauge('podcap_hub_api_registered', "1 if the APIService is this hub's, otherwise 0."),
  gauge(
    'podcap_hub_certificate_expiry_timestamp_seconds',
    'Unix time at which the certificate of this replica expires.',
  ),
  gauge('podcap_hub_agents_connected', 'Agents that are connected to this replica.'),
  gauge('podcap_hub_agents_expected', 'Ready Pods of the DaemonSet of the agents, as last read.'),
  counter('podcap_hub_agents_accepted_total', 'Connections of agents that were accepted.'),
  counter('podcap_hub_agents_refused_total', 'Connections that were refused as those of agents.', ['reason']),
  counter('podcap_hub_reports_malformed_total', 'Lines of reports of agents that were skipped.'),
  gauge('podcap_hub_captures', 'Captures that this replica knows.'),
  gauge('podcap_hub_agents_synced', 'Connected agents that have reported everything they have.'),
  gauge(
    'podcap_hub_nodes_lost',
    'Nodes whose agent was lost, and whose captures are still shown as Unknown.',
  ),
  gauge(
    'podcap_hub_recordings_left_out',
    'Recordings that connected agents have and this replica does not know, because they exceed the bounds of one agent.',
  ),
  counter('podcap_hub_requests_total', 'Requests for captures by verb and HTTP status.', ['verb', 'code']),
  histogram(
    'podcap_hub_request_duration_seconds',
    'Time to answer a request for captures, by verb; for log and attach, until the first byte; none for watches.',
    ['verb'],
  ),
  counter('podcap_hub_callers_refused_total', 'Requests that no caller could be named for.', ['reason']),
  gauge('podcap_hub_watches', 'Watches that are open.'),
  gauge('podcap_hub_streams', 'Downloads (log) and live captures (attach) that are open.', ['subresource']),
  counter('podcap_hub_stream_bytes_total', 'Bytes that clients took from streams.', ['subresource']),
  counter('podcap_hub_streams_refused_total', 'Streams that were refused.', ['subresource', 'reason']),
  counter('podcap_hub_streams_ended_total', 'Streams that ended, by how they ended.', [
    'subresource',
    'ending',
  ]),
  gauge('podcap_hub_build_info', 'Version of the hub; the value is always 1.', ['version']),
  gauge('process_resident_memory_bytes', 'Resident memory of the hub.'),
  counter('process_cpu_seconds_total', 'CPU time of the hub.'),
] as const;

export type HubMetricName = (typeof hubMetricDescriptions)[number]['name'];

export type HubMetricSample = SampleOf<HubMetricName>;
