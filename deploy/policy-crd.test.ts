import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadAllYaml } from '@kubernetes/client-node';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { parsePolicy } from '../src/agent/planner/capture-policy.ts';
import { policyFields } from '../src/agent/planner/policy-fields.ts';

const limits = { maxFiles: 100, maxFileMegabytes: 100 };
const objects = await yaml('podcap.yaml');
const crds = objects.filter(({ kind }) => kind === 'CustomResourceDefinition');

const fieldSchema = v.looseObject({
  type: v.string(),
  description: v.string(),
  minimum: v.optional(v.number()),
  maximum: v.optional(v.number()),
});
const crdSchema = v.object({
  spec: v.object({
    versions: v.tuple([
      v.object({
        schema: v.object({
          openAPIV3Schema: v.object({
            properties: v.object({
              spec: v.object({ properties: v.record(v.string(), fieldSchema) }),
            }),
          }),
        }),
      }),
    ]),
  }),
});

describe('the CRD of podcap.yaml (chart/templates/crd.yaml)', () => {
  const { spec } = v.parse(crdSchema, crds[0]).spec.versions[0].schema.openAPIV3Schema.properties;
  const { selector: _, ...fields } = spec.properties;

  // Without a cluster and without Helm: `make check` fails if a field is changed in the agent alone.
  test('has the fields of the agent, with the same words', () => {
    const words = Object.entries(fields).map(([field, { description }]) => `${field}: ${description}`);
    const agents = Object.values(policyFields(limits));
    expect(words).toEqual(agents.map(({ field, effect, allowed }) => `${field}: ${effect}; ${allowed}`));
  });

  test('states in words the numbers that it allows', () => {
    const bounded = Object.values(fields).filter(({ maximum }) => maximum !== undefined);
    expect(bounded).toHaveLength(3);
    for (const { description, minimum, maximum } of bounded)
      expect(description.endsWith(` from ${minimum} to ${maximum}`)).toBe(true);
  });

  test('bounds every list, map and text, from which the API server estimates what a rule costs', () => {
    const unbounded = boundless(spec, 'spec');
    expect(unbounded).toEqual([]);
  });
});

test('everything but the CRD has the label by which make undeploy deletes', () => {
  expect(crds).toHaveLength(1);
  for (const { kind, metadata } of objects) {
    const isDeleted = metadata.labels?.['app'] === 'packet-capture';
    expect({ kind, isDeleted }).toEqual({ kind, isDeleted: kind !== 'CustomResourceDefinition' });
  }
});

test('the example is a policy that the agent accepts', async () => {
  const [example, ...others] = await yaml('examples/crash-policy.yaml');
  expect(others).toEqual([]);
  const metadata = { ...example?.metadata, namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' };
  expect(parsePolicy(limits)({ ...example, metadata })).toMatchObject({
    kind: 'valid',
    object: { request: { kind: 'capture', spec: { freeze: { on: ['restart', 'oom-killed'] } } } },
  });
});

/** The paths of the schemas without an upper bound on their size. */
function boundless(schema: unknown, path: string): string[] {
  if (!(schema instanceof Object)) return [];
  const bounds: Readonly<Record<string, string>> = { array: 'maxItems', string: 'maxLength' };
  const type = 'type' in schema ? String(schema.type) : '';
  const bound = 'additionalProperties' in schema ? 'maxProperties' : bounds[type];
  const own = bound === undefined || bound in schema ? [] : [path];
  const inner = Object.entries(schema).flatMap(([key, value]) => {
    if (['properties', 'items', 'additionalProperties'].includes(key))
      return boundless(value, `${path}.${key}`);
    return path.endsWith('.properties') ? boundless(value, `${path}.${key}`) : [];
  });
  return [...own, ...inner];
}

async function yaml(name: string) {
  const objectSchema = v.looseObject({
    kind: v.string(),
    metadata: v.looseObject({ labels: v.optional(v.record(v.string(), v.string())) }),
  });
  const text = await readFile(join(import.meta.dirname, name), 'utf8');
  return v.parse(v.array(objectSchema), loadAllYaml(text));
}
