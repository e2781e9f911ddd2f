import { expect, test } from 'vitest';
import { hubMetricDescriptions } from './hub-metric-names.ts';
import { type HubState, hubMetrics } from './hub-metrics.ts';

const starting: HubState = {
  version: '1.2.3',
  isReady: false,
  isRegistered: false,
  certificateExpiresMs: undefined,
  expectedAgents: undefined,
  link: undefined,
  captures: undefined,
};

const serving: HubState = {
  version: '1.2.3',
  isReady: true,
  isRegistered: true,
  certificateExpiresMs: 1_800_000_000_000,
  expectedAgents: 3,
  link: { connected: 2, accepted: 5, refused: new Map([['WrongAccount', 4]]), malformedReports: 1 },
  captures: { captures: 7, watches: 2, syncedAgents: 2, lostNodes: 1, leftOut: 6 },
};

test('says nothing of what is not known yet, rather than 0', () => {
  const lines = samples(starting);
  expect(lines).toContain('podcap_hub_ready 0');
  expect(lines).toContain('podcap_hub_streams{subresource="log"} 0');
  for (const unknown of ['agents_connected', 'agents_expected', 'captures', 'certificate_expiry'])
    expect(lines.filter((line) => line.startsWith(`podcap_hub_${unknown}`))).toEqual([]);
});

test('tells what is so at the moment', () => {
  const lines = samples(serving);
  for (const line of [
    'podcap_hub_ready 1',
    'podcap_hub_api_registered 1',
    'podcap_hub_certificate_expiry_timestamp_seconds 1800000000',
    'podcap_hub_agents_connected 2',
    'podcap_hub_agents_expected 3',
    'podcap_hub_agents_refused_total{reason="WrongAccount"} 4',
    'podcap_hub_captures 7',
    'podcap_hub_watches 2',
    'podcap_hub_nodes_lost 1',
    'podcap_hub_recordings_left_out 6',
    'podcap_hub_build_info{version="1.2.3"} 1',
  ])
    expect(lines).toContain(line);
});

test('counts streams that are open, what clients took, and how they ended', () => {
  const metrics = hubMetrics();
  const { streams } = metrics;
  streams.opened('log', 0.02);
  streams.opened('log', 0.2);
  streams.bytes('log', 1_000);
  streams.bytes('log', 500);
  streams.ended('log', 'Complete', 3);
  streams.refused('attach', 'Forbidden');
  const lines = metrics.text(serving).split('\n');
  for (const line of [
    'podcap_hub_streams{subresource="log"} 1',
    'podcap_hub_stream_bytes_total{subresource="log"} 1500',
    'podcap_hub_streams_ended_total{subresource="log",ending="Complete"} 1',
    'podcap_hub_streams_refused_total{subresource="attach",reason="Forbidden"} 1',
    'podcap_hub_request_duration_seconds_bucket{verb="log",le="0.025"} 1',
    'podcap_hub_request_duration_seconds_count{verb="log"} 2',
  ])
    expect(lines).toContain(line);
});

test('counts requests for captures by verb and status, and times those that end soon', () => {
  const metrics = hubMetrics();
  metrics.onAnswered({ action: 'list', code: 200, tookMs: 30 });
  metrics.onAnswered({ action: 'watch', code: 200, tookMs: 600_000 });
  metrics.onAnswered({ action: 'other', code: 200, tookMs: 1 });
  metrics.onCallerRefused('NoUser');
  const lines = metrics.text(serving).split('\n');
  expect(lines.filter((line) => line.startsWith('podcap_hub_requests_total'))).toEqual([
    'podcap_hub_requests_total{verb="list",code="200"} 1',
    'podcap_hub_requests_total{verb="watch",code="200"} 1',
  ]);
  expect(lines).toContain('podcap_hub_request_duration_seconds_count{verb="list"} 1');
  expect(lines.filter((line) => line.includes('duration_seconds') && line.includes('"watch"'))).toEqual([]);
  expect(lines).toContain('podcap_hub_callers_refused_total{reason="NoUser"} 1');
});

test('every metric that is described is served once all of it has happened', () => {
  const metrics = hubMetrics();
  metrics.onAnswered({ action: 'get', code: 200, tookMs: 1 });
  metrics.onCallerRefused('NoUser');
  metrics.streams.opened('log', 1);
  metrics.streams.refused('log', 'Forbidden');
  metrics.streams.ended('log', 'Complete', 1);
  const served = [...metrics.text(serving).matchAll(/^# HELP (\S+)/gm)].map(([, name]) => name);
  expect(served).toEqual(hubMetricDescriptions.map(({ name }) => name));
});

function samples(state: HubState): string[] {
  return hubMetrics().text(state).split('\n');
}
