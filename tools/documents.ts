import { readFile } from 'node:fs/promises';
import { metricDescriptions } from '../src/agent/observability/metrics.ts';
import { annotationRules, type RefusalReason } from '../src/agent/planner/annotations.ts';
import {
  readSettings,
  type SettingDescription,
  type Settings,
  settingDescriptions,
} from '../src/agent/settings.ts';
import { formatted } from './format-file.ts';
import { Failed } from './shell.ts';
import { checkout } from './target.ts';

/** Path in the checkout to what should stand there: the documents that are made of the agent's own tables. */
export async function renderDocuments(): Promise<ReadonlyMap<string, string>> {
  const settings = defaultSettings();
  const documents: Readonly<Record<string, string>> = {
    'docs/annotations.md': annotationsDocument(settings),
    'docs/settings.md': settingsDocument(),
    'docs/metrics.md': metricsDocument(),
    'README.md': withAnnotations(await readFile(`${checkout}/README.md`, 'utf8'), settings),
  };
  const rendered = Object.entries(documents).map(async ([file, content]) => {
    return [file, await formatted(file, content)] as const;
  });
  return new Map(await Promise.all(rendered));
}

const generated =
  "<!-- Written by `make docs` from the agent's source, and compared with it by a test: change it there. -->";

function annotationsDocument(settings: Settings): string {
  return `# Annotations

${generated}

What a Pod's annotations can ask for. Numbers that a setting bounds are those of its default ([settings](settings.md): \`--max-files\`, \`--max-file-megabytes\`).

${annotationTable(settings)}

Without \`${annotationRules(settings).files.key}\` the others do nothing. A changed number of files takes effect at once and restarts nothing. After a change of filter, interface, snaplen or file size the next tcpdump captures before the one before stops, so that no packet is lost. The duration counts all time in which the Pod was captured, also before it was asked for; a longer one goes on from there.

## Refusals

A request that is not carried out is told by a Warning Event of the Pod, whose reason is the first column; the log line and the metric \`podcap_captures_refused\` have the same word. The Event is renewed every 45 minutes as long as it holds. What was captured so far stays until the annotation is removed.

${table(
  ['reason', 'when', 'until'],
  Object.entries(refusals).map(([reason, { when, until }]) => [`\`${reason}\``, when, until]),
)}

A ring counts in the disk budget as it is when it is full: (files + 1) x (file size + 0.07 MB). The largest number of files and the largest file size together are more than the default budget of \`--disk-budget-megabytes\`.

A capture that runs is stopped by a refusal.
`;
}

/** The compiler asks for each reason. */
const refusals: Readonly<Record<RefusalReason, { readonly when: string; readonly until: string }>> = {
  InvalidAnnotation: {
    when: 'a value that is not allowed; the message names it and what is allowed',
    until: 'the annotation is changed',
  },
  HostNetwork: {
    when: 'the Pod uses the host network: its interface is that of the Node, with the packets of every Pod',
    until: 'the Pod is replaced by one that does not',
  },
  InvalidFilter: {
    when: 'tcpdump does not compile the filter, or needs more than a second or 64 MB; host names are among what it does not compile',
    until: 'the annotation is changed',
  },
  NoSuchInterface: {
    when: 'the Pod has no interface of that name',
    until: 'it is there: it is looked for every 30 s',
  },
  OverBudget: {
    when: 'the disk budget, the budget for receive rings or the number of captures of the Node is spent, and nothing that has ended can make room',
    until: 'there is room',
  },
  DiskAlmostFull: {
    when: "the capture would take the share of the Node's disk that stays free",
    until: 'there is room',
  },
};

function settingsDocument(): string {
  const rows = Object.values(settingDescriptions).map((setting) => [
    `\`--${setting.flag}\``,
    `\`${setting.env}\``,
    presetOf(setting),
    allowedBy(setting),
    setting.help,
  ]);
  return `# Settings of the agent

${generated}

A flag wins over its environment variable, the variable over the default; an empty one counts as not given. A value that is not allowed ends the agent at its start with a message that names it. \`podcap --help\` in the agent's container prints flags, variables and defaults.

${table(['flag', 'environment', 'default', 'allowed', 'what it sets'], rows)}

In the [chart](../deploy/chart/values.yaml) a setting is the value of the same name in camel case below \`settings\`: \`--set settings.maxFiles=200\`. Six are not among them: node-name and agent-name come from the agent's own Pod, captures-folder, netns-folder, drain-library and metrics-tls-folder are paths in its container. \`hostPaths\` names the folders of the Node, \`metricsTls.secretName\` the Secret with the certificates.
`;
}

function metricsDocument(): string {
  const rows = metricDescriptions.map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.length === 0 ? '' : labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  return `# Metrics

${generated}

Each agent tells them at \`/metrics\` on its port (9780), in the text format that Prometheus reads. They are of its own Node, and counters begin at 0 when the agent starts. With \`--metrics-tls-folder\` they are on \`--metrics-port\` (9781) alone, over TLS 1.3, for clients with a certificate of the authority in \`ca.crt\`; changed files are in use after 10 s, and whoever is connected must then show a certificate again.

${table(['name', 'type', 'labels', 'meaning'], rows)}

- \`state\` is \`capturing\` (also while its interface is down), \`waiting\` (for the network of the Pod), \`failed\` (it is tried again), \`refused\`, or \`ended\` (nothing is captured any more, the files stay).
- \`reason\` is that of a [refusal](annotations.md#refusals).
- \`result\` is \`written\`, \`dropped\` (the queue was full, or the agent ended first), \`suppressed\` (too many about one Pod) or \`failed\`.
- The metrics that begin with \`podcap_pod_\` are there with \`--pod-metrics=true\`. They have the names of namespaces and Pods, and one series for each Pod that is known to the agent.

[deploy/chart/monitoring](../deploy/chart/monitoring) has alert rules and a Grafana dashboard for them; the chart can install both.
`;
}

const begin = '<!-- annotations: written by `make docs` -->';
const end = '<!-- end of annotations -->';

function withAnnotations(readme: string, settings: Settings): string {
  const [before, , after] = readme.split(new RegExp(`${begin}([^]*)${end}`));
  if (before === undefined || after === undefined) throw new Failed(`README.md lacks ${begin} or ${end}`);
  return `${before}${begin}\n\n${annotationTable(settings)}\n\n${end}${after}`;
}

function annotationTable(settings: Settings): string {
  const rows = Object.values(annotationRules(settings)).map(({ key, allowed, effect }) => {
    return [`\`${key}\``, allowed, effect];
  });
  return table(['annotation', 'allowed', 'effect'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}

function defaultSettings(): Settings {
  const result = readSettings([], anyNode);
  if (result.kind !== 'settings') throw new Error('the defaults are not allowed');
  return result.settings;
}

function presetOf({ default: preset }: SettingDescription): string {
  if (preset === undefined) return 'required';
  return preset === '' ? 'none' : `\`${preset}\``;
}

/** In the agent's own words, which it says of a value that no setting but a text allows. */
function allowedBy({ flag }: SettingDescription): string {
  const result = readSettings([`--${flag}=?`], anyNode);
  if (result.kind !== 'invalid') return 'any text';
  const words = /"\?" is not allowed: (.+) is allowed$/.exec(result.message)?.[1];
  if (words === undefined) throw new Error(`--${flag}: ${result.message}`);
  return words;
}

const anyNode = { NODE_NAME: 'node' };
