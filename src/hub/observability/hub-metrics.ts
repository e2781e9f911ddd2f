import { labelledHistograms, labelledNumbers } from '../../observability/labelled-values.ts';
import { prometheusText } from '../../observability/prometheus-text.ts';
import { type IdentityRefusal, identityRefusals } from '../access/front-proxy.ts';
import { linkRefusalReasons } from '../agents/agent-identity.ts';
import type { LinkServerCounts } from '../agents/link-server.ts';
import type { ApiAnswered } from '../api/api-handler.ts';
import type { CaptureStoreCounts } from '../captures/capture-store.ts';
import type { StreamEvents } from '../streams/stream-events.ts';
import { type HubMetricSample, hubMetricDescriptions } from './hub-metric-names.ts';

/** Counts what happens in the hub. */
export type HubMetrics = {
  readonly onAnswered: (answered: ApiAnswered) => void;
  readonly onCallerRefused: (reason: IdentityRefusal) => void;
  readonly streams: StreamEvents;
  /** What /metrics answers. */
  readonly text: (now: HubState) => string;
};

/** What is so at the moment. */
export type HubState = {
  readonly version: string;
  readonly isReady: boolean;
  readonly isRegistered: boolean;
  /** Unix time; undefined: there is no certificate yet. */
  readonly certificateExpiresMs: number | undefined;
  readonly expectedAgents: number | undefined;
  readonly link: LinkServerCounts | undefined;
  readonly captures: CaptureStoreCounts | undefined;
};

/** A list of 10,000 captures takes about a second. */
const durationBounds = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 30];

/** Starts with everything at 0. */
export function hubMetrics(): HubMetrics {
  const requests = labelledNumbers('podcap_hub_requests_total');
  const durations = labelledHistograms('podcap_hub_request_duration_seconds', durationBounds);
  const callersRefused = labelledNumbers('podcap_hub_callers_refused_total');
  const open = labelledNumbers('podcap_hub_streams');
  const bytes = labelledNumbers('podcap_hub_stream_bytes_total');
  const refused = labelledNumbers('podcap_hub_streams_refused_total');
  const ended = labelledNumbers('podcap_hub_streams_ended_total');
  // So that a rate sees the first one.
  for (const reason of identityRefusals) callersRefused.add({ reason }, 0);
  for (const subresource of ['log', 'attach'])
    for (const values of [open, bytes]) values.add({ subresource }, 0);
  const counted = [requests, durations, callersRefused, open, bytes, refused, ended];
  return {
    onAnswered({ action, code, tookMs }) {
      if (action === 'other') return;
      const verb = action;
      requests.add({ verb, code: `${code}` });
      if (action !== 'watch' && action !== 'subresource') durations.observe({ verb }, tookMs / 1_000);
    },
    onCallerRefused: (reason) => callersRefused.add({ reason }),
    streams: {
      opened(subresource, waitSeconds) {
        open.add({ subresource });
        durations.observe({ verb: subresource }, waitSeconds);
      },
      refused: (subresource, reason) => refused.add({ subresource, reason }),
      bytes: (subresource, amount) => bytes.add({ subresource }, amount),
      ended(subresource, ending) {
        open.add({ subresource }, -1);
        ended.add({ subresource, ending });
      },
    },
    text: (now) =>
      prometheusText(hubMetricDescriptions, [
        ...stateSamples(now),
        ...counted.flatMap((values): HubMetricSample[] => values.samples()),
        ...processSamples(),
      ]),
  };
}

function stateSamples(now: HubState): HubMetricSample[] {
  const { certificateExpiresMs, expectedAgents } = now;
  return [
    { name: 'podcap_hub_build_info', labels: { version: now.version }, value: 1 },
    { name: 'podcap_hub_ready', value: Number(now.isReady) },
    { name: 'podcap_hub_api_registered', value: Number(now.isRegistered) },
    ...some(
      'podcap_hub_certificate_expiry_timestamp_seconds',
      certificateExpiresMs && certificateExpiresMs / 1_000,
    ),
    ...some('podcap_hub_agents_expected', expectedAgents),
    ...linkSamples(now.link),
    ...some('podcap_hub_captures', now.captures?.captures),
    ...some('podcap_hub_nodes_lost', now.captures?.lostNodes),
    ...some('podcap_hub_agents_synced', now.captures?.syncedAgents),
    ...some('podcap_hub_recordings_left_out', now.captures?.leftOut),
    ...some('podcap_hub_watches', now.captures?.watches),
  ];
}

function linkSamples(link: HubState['link']): HubMetricSample[] {
  if (!link) return [];
  return [
    { name: 'podcap_hub_agents_connected', value: link.connected },
    { name: 'podcap_hub_agents_accepted_total', value: link.accepted },
    { name: 'podcap_hub_reports_malformed_total', value: link.malformedReports },
    ...linkRefusalReasons.map(
      (reason): HubMetricSample => ({
        name: 'podcap_hub_agents_refused_total',
        labels: { reason },
        value: link.refused.get(reason) ?? 0,
      }),
    ),
  ];
}

/** No sample of what is not known. */
function some(name: HubMetricSample['name'], value: number | undefined): HubMetricSample[] {
  return value === undefined ? [] : [{ name, value }];
}

function processSamples(): HubMetricSample[] {
  const { user, system } = process.cpuUsage();
  return [
    { name: 'process_resident_memory_bytes', value: process.memoryUsage.rss() },
    { name: 'process_cpu_seconds_total', value: (user + system) / 1_000_000 },
  ];
}
