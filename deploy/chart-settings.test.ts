import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { readSettings, settingDescriptions } from '../src/agent/settings.ts';

/**
 * Settings that the chart sets itself: the names of the agent's Pod, DaemonSet and Node, the hub, and the paths in its
 * container.
 */
const setByChart = new Set([
  'nodeName',
  'agentName',
  'daemonSet',
  'capturesFolder',
  'netnsFolder',
  'nativeFolder',
  'metricsTlsFolder',
  'hub',
  'hubTokenFile',
]);

const descriptions = new Map(Object.entries(settingDescriptions).filter(([name]) => !setByChart.has(name)));
const schemaOfValues = v.object({
  properties: v.object({
    settings: v.object({
      properties: v.record(
        v.string(),
        v.object({ minimum: v.optional(v.number()), maximum: v.optional(v.number()) }),
      ),
    }),
  }),
});

test('the chart has every setting of the agent, and no others', async () => {
  expect(Object.keys(await settingsInSchema()).toSorted()).toEqual([...descriptions.keys()].toSorted());
  const values = await settingsInValues();
  expect([...values.keys()].toSorted()).toEqual([...descriptions.keys()].toSorted());
});

test("the chart's defaults are null or, where the chart needs the value itself, those of the agent", async () => {
  const { probePort, metricsPort, captureUser, ...others } = Object.fromEntries(await settingsInValues());
  expect({ probePort, metricsPort, captureUser }).toEqual({
    probePort: settingDescriptions.probePort.default,
    metricsPort: settingDescriptions.metricsPort.default,
    captureUser: settingDescriptions.captureUser.default,
  });
  expect(new Set(Object.values(others))).toEqual(new Set(['null']));
});

test('a flag has the name of its setting in kebab case, as the chart writes it', () => {
  for (const [name, { flag }] of descriptions) {
    expect(flag).toBe(name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
  }
});

test('the schema allows the numbers that the agent allows, and no others', async () => {
  const bounded = Object.entries(await settingsInSchema()).flatMap(([name, { minimum, maximum }]) =>
    minimum === undefined || maximum === undefined ? [] : [{ name, minimum, maximum }],
  );
  expect(bounded.length).toBeGreaterThan(9);
  for (const { name, minimum, maximum } of bounded) {
    const results = [minimum - 1, minimum, maximum, maximum + 1].map((number) => {
      return readSettings([`--${descriptions.get(name)?.flag}=${number}`], { NODE_NAME: 'node' }).kind;
    });
    expect({ name, results }).toEqual({ name, results: ['invalid', 'settings', 'settings', 'invalid'] });
  }
});

async function settingsInSchema() {
  return v.parse(schemaOfValues, JSON.parse(await read('values.schema.json'))).properties.settings.properties;
}

/** The lines `  name: value` under `settings:` in values.yaml. */
async function settingsInValues(): Promise<Map<string, string>> {
  const [, block = ''] = /^settings:\n((?: .*\n|\n)+)/m.exec(await read('values.yaml')) ?? [];
  return new Map(
    [...block.matchAll(/^ {2}(\w+): (.+)$/gm)].map(([, name = '', value = '']) => [name, value] as const),
  );
}

async function read(name: string): Promise<string> {
  return await readFile(join(import.meta.dirname, 'chart', name), 'utf8');
}
