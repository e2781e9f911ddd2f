import { readSettings, settingDescriptions } from '../src/agent/settings.ts';
import type { SettingDescription, SettingsResult } from '../src/base/program-settings.ts';
import { hubSettingDescriptions, readHubSettings } from '../src/hub/hub-settings.ts';
import { table } from './markdown-table.ts';

/** docs/settings.md, with the comment that says how it is made. */
export function settingsDocument(generated: string): string {
  return `# Settings

${generated}

A flag takes precedence over its environment variable, and the variable over the default. An empty value counts as unset. If a value is not allowed, the agent or the hub exits at startup with an error that names the setting and the value. \`podcap --help\` and \`podcap hub --help\` in their containers print the flags, variables and defaults.

## The agent

${settingsTable(settingDescriptions, (args) => readSettings(args, { NODE_NAME: 'node' }))}

In the [chart](../deploy/chart/values.yaml), a setting is a value under \`settings\` with the same name in camel case: \`--set settings.maxFiles=200\`. Nine settings are not chart values. The chart takes \`--node-name\`, \`--agent-name\` and \`--daemon-set\` from the agent's own Pod and DaemonSet. \`--captures-folder\`, \`--netns-folder\`, \`--native-folder\`, \`--metrics-tls-folder\` and \`--hub-token-file\` are fixed paths in the agent's container; \`--hub\` follows from \`hub.enabled\`. To choose the Node's folders, set \`hostPaths\`. To serve the metrics over TLS, set \`metricsTls.secretName\`.

## The hub

${settingsTable(hubSettingDescriptions, (args) => readHubSettings(args, hubObjects))}

In the chart, a setting is a value under \`hub.settings\` with the same name in camel case: \`--set hub.settings.apiPort=6443\`. The chart takes \`--deployment\`, \`--daemon-set\` and \`--agent-account\` from its own objects, and \`--metrics-tls-folder\` is a fixed path, as for the agent.
`;
}

/** What the hub needs to know about itself, so that a test of one setting fails for no other. */
const hubObjects = {
  PODCAP_DEPLOYMENT: 'kube-system/podcap-hub',
  PODCAP_DAEMON_SET: 'kube-system/podcap',
  PODCAP_AGENT_ACCOUNT: 'kube-system/podcap',
};

type ReadArguments = (args: readonly string[]) => SettingsResult<unknown>;

function settingsTable(
  descriptions: Readonly<Record<string, SettingDescription>>,
  read: ReadArguments,
): string {
  const rows = Object.values(descriptions).map((setting) => [
    `\`--${setting.flag}\``,
    `\`${setting.env}\``,
    defaultOf(setting),
    allowedBy(setting, read),
    setting.help,
  ]);
  return table(['flag', 'environment', 'default', 'allowed', 'what it sets'], rows);
}

function defaultOf({ default: value }: SettingDescription): string {
  if (value === undefined) return 'required';
  return value === '' ? 'none' : `\`${value}\``;
}

/** What is allowed, taken from the program's own error message for a value that only a text setting accepts. */
function allowedBy({ flag }: SettingDescription, read: ReadArguments): string {
  const result = read([`--${flag}=?`]);
  if (result.kind !== 'invalid') return 'any text';
  const words = / must be (.+), not "\?"$/.exec(result.message)?.[1];
  if (words === undefined) throw new Error(`--${flag}: ${result.message}`);
  return words;
}
