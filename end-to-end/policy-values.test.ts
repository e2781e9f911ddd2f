import fc from 'fast-check';
import { expect } from 'vitest';
import { parsePolicy } from '../src/agent/planner/capture-policy.ts';
import { dryRun, refusalOf } from './support/admission-policies.ts';
import { policiesPath, policyManifest } from './support/capture-policies.ts';
import { test } from './support/cluster-test.ts';
import { anySpec, fieldValues, validSpec } from './support/policy-specs.ts';
import { kubectl } from './support/run-kubectl.ts';
import type { TestCluster } from './support/test-cluster.ts';

const limits = { maxFiles: 100, maxFileMegabytes: 100 };

test.for(Object.entries(fieldValues))(
  'the API server allows the same values of %s as the agent',
  async ([field, values], { cluster }) => {
    for (const value of values) {
      const spec = { ...validSpec, [field]: value };
      const isAllowed = await isAllowedByApiServer(cluster, spec);
      expect({ value, isAllowed }).toEqual({ value, isAllowed: isAllowedByAgent(spec) });
    }
  },
);

test('the API server allows the same random policies as the agent', async ({ cluster }) => {
  const kinds = { allowed: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(anySpec, async (spec) => {
      const isAllowed = await isAllowedByApiServer(cluster, spec);
      expect(isAllowed).toBe(isAllowedByAgent(spec));
      kinds[isAllowed ? 'allowed' : 'refused'] += 1;
    }),
    { numRuns: 200 },
  );
  expect(Math.min(...Object.values(kinds))).toBeGreaterThan(0);
});

test.for([
  [{ duration: '169h' }, 'spec.duration: Invalid value: "169h": must be a duration from 1s to 168h'],
  [{ interfaces: ['any'] }, `must be the name of an interface, such as eth0, but not 'any'`],
  [{ filter: '' }, 'must be a pcap-filter(7) expression of 1 to 2048 bytes'],
  [{ expires: 'tomorrow' }, 'must be a time in RFC 3339'],
  [{ selector: {} }, 'must have matchLabels or matchExpressions; matchLabels: {} selects every Pod'],
  [{ files: 101 }, 'spec.files in body should be less than or equal to 100'],
] as const)('a refusal of %j says what is allowed', async ([change, words], { cluster }) => {
  const refusal = await refusalOf(create(cluster, { ...validSpec, ...change }));
  expect(refusal?.message).toContain(words);
});

test('kubectl lists the selector as JSON, and explains every field', async ({ cluster }) => {
  const { client, namespace } = cluster;
  await client.create({ path: policiesPath(namespace), body: policyManifest('listed', validSpec) });
  const listed = await kubectl('-n', namespace, 'get', 'cpol', 'listed');
  expect(listed).toMatch(/^NAME +SELECTOR +FILES +AGE\nlisted +{"matchLabels":{"app":"web"}} +5 +\d+s\n$/);
  const explained = await kubectl('explain', 'capturepolicy.spec');
  for (const field of Object.keys(fieldValues)) expect(explained).toMatch(new RegExp(`^ +${field}\\t`, 'm'));
});

async function isAllowedByApiServer(cluster: TestCluster, spec: object): Promise<boolean> {
  return (await refusalOf(create(cluster, spec))) === undefined;
}

async function create({ client, namespace }: TestCluster, spec: object): Promise<unknown> {
  return await client.create({
    path: policiesPath(namespace),
    query: dryRun,
    body: policyManifest('checked', spec),
  });
}

function isAllowedByAgent(spec: object): boolean {
  const metadata = { namespace: 'default', name: 'checked', creationTimestamp: '2026-01-01T00:00:00Z' };
  const parsed = parsePolicy(limits)({ metadata, spec });
  if (parsed.kind === 'invalid') return false;
  const { selectorProblem, request } = parsed.object;
  return selectorProblem === undefined && request.kind === 'capture';
}
