import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { annotationRules, captureAnnotation, requestOf } from '../src/agent/planner/annotations.ts';
import { dryRun, installPolicies, refusalOf, untilRefused } from './support/admission-policies.ts';
import { idle } from './support/pod-manifests.ts';
import { kubectl, type TestCluster, testCluster } from './support/test-cluster.ts';

// No Node runs these Pods: the API server alone is asked.
const unscheduled = { spec: { schedulerName: 'none' } };
const limits = { maxFiles: 100, maxFileMegabytes: 100 };
const rules = Object.values(annotationRules(limits));

let cluster: TestCluster;
let policy: AsyncDisposable;
beforeAll(async () => {
  cluster = await testCluster();
  // Before the policy, as on a cluster that had none.
  await cluster.create(
    idle({ name: 'bad', annotation: '0', annotations: { 'podcap.dev/snaplen': 'x' }, ...unscheduled }),
  );
  await cluster.create(idle({ name: 'web', ...unscheduled }));
  policy = await installPolicies(cluster, 'allowedValues');
  await untilRefused(() => annotated(captureAnnotation, '0'));
});
afterAll(async () => {
  await policy[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

test.each([
  [captureAnnotation, ['1', '5', '100', '007', '000000100']],
  [
    captureAnnotation,
    ['', '0', '101', '-1', '+5', '5.0', '1e1', '0x5', ' 5', '5\n', '٥', 'true', '9999999999'],
  ],
  ['podcap.dev/file-size', ['1', '100', '0', '101', '1M', '']],
  ['podcap.dev/interface', ['eth0', 'net1', 'lo', 'eth0.5', 'a@b', '0a', 'fifteencharacte']],
  ['podcap.dev/interface', ['any', '', '-z', '1', '15', 'eth0:/x', 'sixteencharacter', 'eth0\n', 'éth0']],
  ['podcap.dev/filter', ['tcp port 80', '-z /evil', 'x', 'é'.repeat(1_024), ' x ', '\u200b', '\u180e']],
  [
    'podcap.dev/filter',
    ['', '  ', 'tcp\nor udp', 'tcp\u0000', 'tcp\u0085', 'a'.repeat(2_049), 'é'.repeat(1_025)],
  ],
  ['podcap.dev/filter', ['\u00a0', '\u1680\u2003\u2028\u2029\u202f\u205f\u3000\ufeff', 'x'.repeat(100_000)]],
  ['podcap.dev/snaplen', ['64', '262144', '63', '262145', '0064', 'x']],
  [
    'podcap.dev/duration',
    ['1s', '90s', '10m', '1h30m', '168h', '604800s', '1h0m0s', '0h0m1s', '10080m', '000168h'],
  ],
  [
    'podcap.dev/duration',
    ['', '10', '0s', '169h', '1.5h', '30m1h', '604801s', '10081m', '1H', '1s\n', '-1s', '1s1s'],
  ],
])('of %s the API server allows what the agent allows, in the same words', async (key, values) => {
  for (const value of values) {
    expect({ value, refusal: await byApiServer(key, value) }).toEqual({
      value,
      refusal: byAgent(key, value),
    });
  }
});

test('of any text at all the API server allows what the agent allows', async () => {
  const keys = fc.constantFrom(...rules.map(({ key }) => key));
  const number = fc.oneof(fc.nat({ max: 300_000 }), fc.nat({ max: 120 })).map(String);
  const part = fc.tuple(fc.nat({ max: 2_000 }), fc.constantFrom('h', 'm', 's')).map((pair) => pair.join(''));
  const time = fc.array(part, { maxLength: 3 }).map((parts) => parts.join(''));
  // Half a surrogate pair does not come through JSON.
  const text = fc.string({ unit: 'binary', maxLength: 20 }).map((each) => each.toWellFormed());
  await fc.assert(
    fc.asyncProperty(keys, fc.oneof(text, number, time), async (key, value) => {
      expect((await byApiServer(key, value)) === undefined).toBe(byAgent(key, value) === undefined);
    }),
    { numRuns: 150 },
  );
});

test('kubectl annotate says what is allowed', async () => {
  const annotate = kubectl('-n', cluster.namespace, 'annotate', 'pod', 'web', `${captureAnnotation}=many`);
  await expect(annotate).rejects.toThrow(
    'annotation tcpdump.antrea.io="many": must be a whole number of capture files from 1 to 100',
  );
});

test('a template is judged as its Pods would be', async () => {
  const { metadata, ...pod } = idle({ name: 'web', annotation: '0' });
  const labels = { app: 'web' };
  const template = { ...pod, metadata: { labels, annotations: metadata.annotations } };
  const deployments = `/apis/apps/v1/namespaces/${cluster.namespace}/deployments`;
  const spec = { selector: { matchLabels: labels }, template };
  const body = { metadata: { name: 'web' }, spec };
  const refusal = await refusalOf(cluster.client.create({ path: deployments, query: dryRun, body }));
  expect(refusal?.message).toContain(`annotation ${captureAnnotation}="0"`);
});

test('a Pod that is bad already can be labelled, mended step by step, and deleted', async () => {
  const bad = `${pods()}/bad`;
  const change = (metadata: object) => refusalOf(cluster.client.patch({ path: bad, body: { metadata } }));
  expect(await change({ labels: { team: 'network' } })).toBeUndefined();
  expect(await change({ annotations: { 'podcap.dev/interface': 'any' } })).toMatchObject({ status: 422 });
  expect(await change({ annotations: { [captureAnnotation]: '00' } })).toMatchObject({ status: 422 });
  expect(await change({ annotations: { [captureAnnotation]: '5' } })).toBeUndefined();
  expect(await change({ annotations: { 'podcap.dev/snaplen': null } })).toBeUndefined();
  await cluster.delete('bad', '--grace-period=0', '--force');
});

function pods(): string {
  return `/api/v1/namespaces/${cluster.namespace}/pods`;
}

async function annotated(key: string, value: string): Promise<unknown> {
  const body = { metadata: { annotations: { [key]: value } } };
  return await cluster.client.patch({ path: `${pods()}/web`, query: dryRun, body });
}

/** What is allowed instead, in the policy's words. */
async function byApiServer(key: string, value: string): Promise<string | undefined> {
  const message = (await refusalOf(annotated(key, value)))?.message;
  return message && (new RegExp(`annotation ${key}=".*": must be (.*)$`, 's').exec(message)?.[1] ?? message);
}

/** What is allowed instead, in the agent's words. */
function byAgent(key: string, value: string): string | undefined {
  const annotations = { [captureAnnotation]: '1', [key]: value };
  const { kind } = requestOf({ annotations, hostNetwork: false }, limits);
  return kind === 'refused' ? rules.find((rule) => rule.key === key)?.allowed : undefined;
}
