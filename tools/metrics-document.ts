import { captureStates, stateDescriptions } from '../src/agent/observability/capture-states.ts';
import { metricDescriptions } from '../src/agent/observability/metrics.ts';
import { hubMetricDescriptions } from '../src/hub/observability/hub-metric-names.ts';
import type { MetricDescription } from '../src/observability/prometheus-text.ts';
import { table } from './markdown-table.ts';

/** docs/metrics.md, with the comment that says how it is made. */
export function metricsDocument(generated: string): string {
  return `# Metrics

${generated}

Each agent serves the metrics of its own Node at \`/metrics\` on \`--metrics-port\` (9781), in the Prometheus text format. Counters start at 0 when the agent starts. The metrics are computed at most once a second. A connection ends after one answer, and after 10 s at the latest.

With \`--metrics-tls-folder\`, the metrics are served over TLS 1.3, only to clients that present a certificate issued by the CA in \`ca.crt\`. The agent loads changed certificate files within 10 s. It then closes all connections, so every client must present its certificate again.

${metricsTable(metricDescriptions)}

- \`state\` is ${stateList()}. \`podcap list\` has the same states.
- \`reason\` is the reason of a [refusal](annotations.md#refusals).
- \`result\` is \`written\`, \`dropped\` (the queue was full, or the agent stopped first), \`suppressed\` (there were too many Events about the same Pod) or \`failed\`.
- \`--pod-metrics=true\` adds the metrics whose names start with \`podcap_pod_\`: one series for each name of a Pod whose capture the agent reports, or whose files it keeps. The labels are the namespace and name of the captured Pod. Two Pods with the same name, such as the earlier and the recreated Pod of a StatefulSet, share a series.

## The hub

Each replica of the hub serves its own metrics in the same way. Its counters start at 0 when it starts, and each agent and each request is one replica's: add the replicas up, except \`podcap_hub_agents_connected\` and \`podcap_hub_captures\`, because every agent is connected to every replica.

${metricsTable(hubMetricDescriptions)}

- \`verb\` is \`get\`, \`list\`, \`watch\`, \`delete\` or \`subresource\`; of the time to answer, \`log\` and \`attach\`.
- \`subresource\` is \`log\` (a download) or \`attach\` (a live capture). \`ending\` is in the [audit line](hub.md#what-the-audit-lines-say) of the stream, too.

## Scraping

The [alert rules and the Grafana dashboard](../deploy/chart/monitoring), which the chart can install, need three things of the scrape configuration of the agents. The chart's PodMonitors (\`podMonitor.enabled\`) have them; the job of the hub is \`podcap-hub\`:

- the job is \`podcap\`;
- the label \`node\` is the name of the agent's Node, which the alerts and the dashboard show. An agent does not send it, because Prometheus knows the Node of each target;
- \`honor_labels\` is true. Otherwise, where Prometheus adds the labels \`namespace\` and \`pod\` of its target, the metrics of every captured Pod have those of the agent, and the names of the captured Pod are in \`exported_namespace\` and \`exported_pod\`. Agents send the labels of the table above and no others, so they can replace only these two.

Without the Prometheus operator:

\`\`\`yaml
scrape_configs:
  - job_name: podcap
    honor_labels: true
    kubernetes_sd_configs:
      - role: pod
        selectors:
          - { role: pod, label: app=packet-capture }
    relabel_configs:
      - source_labels: [__meta_kubernetes_pod_container_port_name]
        regex: metrics
        action: keep
      - source_labels: [__meta_kubernetes_pod_node_name]
        target_label: node
  - job_name: podcap-hub
    kubernetes_sd_configs:
      - role: pod
        selectors:
          - { role: pod, label: app=packet-capture-hub }
    relabel_configs:
      - source_labels: [__meta_kubernetes_pod_container_port_name]
        regex: metrics
        action: keep
      - source_labels: [__meta_kubernetes_pod_name]
        target_label: pod
\`\`\`
`;
}

function metricsTable(descriptions: readonly MetricDescription[]): string {
  const rows = descriptions.map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  return table(['name', 'type', 'labels', 'meaning'], rows);
}

function stateList(): string {
  const states = captureStates.map((state) => `\`${state}\` (${stateDescriptions[state]})`);
  return [states.slice(0, -1).join(', '), ...states.slice(-1)].join(' or ');
}
