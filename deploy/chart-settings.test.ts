import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadYaml } from '@kubernetes/client-node';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { readSettings, settingDescriptions } from '../src/agent/settings.ts';
import type { SettingDescription, SettingsResult } from '../src/base/program-settings.ts';
import { hubSettingDescriptions, readHubSettings } from '../src/hub/hub-settings.ts';

type Program = {
  readonly name: string;
  readonly descriptions: Readonly<Record<string, SettingDescription>>;
  /** Settings that the chart sets itself: the names of its own objects, and paths in the container. */
  readonly setByChart: readonly string[];
  /** Settings whose value the chart needs itself. */
  readonly neededByChart: readonly string[];
  readonly read: (args: readonly string[]) => SettingsResult<unknown>;
  readonly settingsOf: (chart: Chart) => unknown;
};

type Chart = { readonly settings: unknown; readonly hub: { readonly settings: unknown } };

const objects = {
  NODE_NAME: 'node',
  PODCAP_DEPLOYMENT: 'kube-system/podcap-hub',
  PODCAP_DAEMON_SET: 'kube-system/podcap',
  PODCAP_AGENT_ACCOUNT: 'kube-system/podcap',
};

const agent: Program = {
  name: 'agent',
  descriptions: settingDescriptions,
  setByChart: [
    'nodeName',
    'agentName',
    'daemonSet',
    'capturesFolder',
    'netnsFolder',
    'nativeFolder',
    'metricsTlsFolder',
    'hub',
    'hubTokenFile',
  ],
  neededByChart: ['probePort', 'metricsPort', 'captureUser'],
  read: (args) => readSettings(args, objects),
  settingsOf: ({ settings }) => settings,
};

const hub: Program = {
  name: 'hub',
  descriptions: hubSettingDescriptions,
  setByChart: ['deployment', 'daemonSet', 'agentAccount', 'metricsTlsFolder'],
  neededByChart: ['apiPort', 'linkPort', 'probePort', 'metricsPort'],
  read: (args) => readHubSettings(args, objects),
  settingsOf: (chart) => chart.hub.settings,
};

describe.each([agent, hub])('the settings of the $name', (program) => {
  const descriptions = new Map(
    Object.entries(program.descriptions).filter(([name]) => !program.setByChart.includes(name)),
  );

  test('are all in the chart, and no others', async () => {
    expect(Object.keys(await inSchema(program)).toSorted()).toEqual([...descriptions.keys()].toSorted());
    expect(Object.keys(await inValues(program)).toSorted()).toEqual([...descriptions.keys()].toSorted());
  });

  test('are null by default or, where the chart needs the value itself, have the default of the program', async () => {
    for (const [name, value] of Object.entries(await inValues(program))) {
      const isNeeded = program.neededByChart.includes(name);
      expect({ name, value }).toEqual({
        name,
        value: isNeeded ? Number(descriptions.get(name)?.default) : null,
      });
    }
  });

  test('have flags with their names in kebab case, as the chart writes them', () => {
    for (const [name, { flag }] of descriptions) {
      expect(flag).toBe(name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
    }
  });

  test('may have the same numbers in the schema as in the program', async () => {
    const bounded = Object.entries(await inSchema(program)).flatMap(([name, { minimum, maximum }]) =>
      minimum === undefined || maximum === undefined ? [] : [{ name, minimum, maximum }],
    );
    expect(bounded.length).toBeGreaterThan(5);
    for (const { name, minimum, maximum } of bounded) {
      const results = [minimum - 1, minimum, maximum, maximum + 1].map((number) => {
        return program.read([`--${descriptions.get(name)?.flag}=${number}`]).kind;
      });
      expect({ name, results }).toEqual({ name, results: ['invalid', 'settings', 'settings', 'invalid'] });
    }
  });
});

const propertiesSchema = v.object({
  properties: v.record(
    v.string(),
    v.object({ minimum: v.optional(v.number()), maximum: v.optional(v.number()) }),
  ),
});
const schemaOfValues = v.object({
  properties: v.object({
    settings: propertiesSchema,
    hub: v.object({ properties: v.object({ settings: propertiesSchema }) }),
  }),
});

async function inSchema({ settingsOf }: Program) {
  const { settings, hub: ofHub } = v.parse(
    schemaOfValues,
    JSON.parse(await read('values.schema.json')),
  ).properties;
  return v.parse(propertiesSchema, settingsOf({ settings, hub: ofHub.properties })).properties;
}

async function inValues({ settingsOf }: Program): Promise<Readonly<Record<string, unknown>>> {
  const chartSchema = v.object({ settings: v.unknown(), hub: v.object({ settings: v.unknown() }) });
  const values = v.parse(chartSchema, loadYaml(await read('values.yaml')));
  return v.parse(v.record(v.string(), v.unknown()), settingsOf(values));
}

async function read(name: string): Promise<string> {
  return await readFile(join(import.meta.dirname, 'chart', name), 'utf8');
}
