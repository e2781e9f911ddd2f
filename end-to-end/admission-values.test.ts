import fc from 'fast-check';
import { expect } from 'vitest';
import { annotationRules, captureAnnotation, requestOf } from '../src/agent/planner/annotations.ts';
import { dryRun, installPolicies, refusalOf, waitForPolicy } from './support/admission-policies.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { range } from './support/consecutive.ts';
import { idle } from './support/pod-manifests.ts';
import { kubectl } from './support/run-kubectl.ts';
import type { TestCluster } from './support/test-cluster.ts';
import { unscheduled, workload } from './support/workload-manifests.ts';

const limits = { maxFiles: 100, maxFileMegabytes: 100 };
const rules = Object.values(annotationRules(limits));
const options = rules.map(({ key }) => key).filter((key) => key !== captureAnnotation);

/** A cluster with the policy, and with Pods from before the policy: `web`, and `bad`, whose values it would refuse. */
const test = clusterTest.extend('guarded', { scope: 'file' }, async ({ cluster }, { onCleanup }) => {
  await cluster.create(
    idle({ name: 'bad', annotation: '0', annotations: { 'podcap.dev/snaplen': 'x' }, ...unscheduled }),
  );
  await cluster.create(idle({ name: 'web', ...unscheduled }));
  const policy = await installPolicies(cluster, 'allowedValues');
  onCleanup(() => policy[Symbol.asyncDispose]());
  await waitForPolicy(() => annotateWeb(cluster, { [captureAnnotation]: '0' }));
  return cluster;
});

test.for<[key: string, values: string[]]>([
  [captureAnnotation, ['1', '5', '100', '007', '000000100']],
  [
    captureAnnotation,
    ['', '0', '101', '-1', '+5', '5.0', '1e1', '0x5', ' 5', '5\n', '٥', 'true', '9999999999'],
  ],
  ['podcap.dev/file-size', ['1', '100', '0', '101', '1M', '']],
  ['podcap.dev/interface', ['eth0', 'net1', 'lo', 'eth0.5', 'a@b', '0a', 'fifteencharacte']],
  [
    'podcap.dev/interface',
    ['eth0,lo', 'a,b,c,d', 'a,b,c,d,e', 'eth0,eth0', 'eth0,', ',', 'eth0, lo', 'lo,any', 'lo,1'],
  ],
  [
    'podcap.dev/freeze-on',
    ['restart', 'failed,oom-killed,not-ready,restart', '', 'restart,', 'crash', 'restart,restart', 'Restart'],
  ],
  ['podcap.dev/freeze-after', ['1s', '10m', '600s', '0h0m5s', '0s', '601s', '11m', '1h', '5', '']],
  ['podcap.dev/freeze', ['x', 'a b', 'é'.repeat(126), 'é'.repeat(127), '', ' ', 'a\n', '\u00a0', '\u200b']],
  ['podcap.dev/paused', ['true', 'false', '', 'True', '1', 'true ']],
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
])(
  'the API server allows the same values of %s as the agent, in the same words',
  async ([key, values], { guarded }) => {
    for (const value of values) {
      const refusal = await refusedByApiServer(guarded, key, value);
      expect({ value, refusal }).toEqual({ value, refusal: refusedByAgent(key, value) });
    }
  },
);

test('the API server allows the same random annotations as the agent', async ({ guarded }) => {
  const known = fc.constantFrom(...rules.map(({ key }) => key));
  const letters = fc.string({
    unit: fc.constantFrom(...'abefilnorstw-A.'.split('')),
    minLength: 1,
    maxLength: 20,
  });
  const name = letters.filter((each) => /^[a-z].*[a-z]$/i.test(each));
  const prefix = fc.constantFrom(
    'podcap.dev/',
    'podcap.dev/',
    'Podcap.dev/',
    'podcap.de/',
    'x.podcap.dev/',
    '',
  );
  const unknown = fc.tuple(prefix, name).map((parts) => parts.join(''));
  const number = fc.oneof(fc.nat({ max: 300_000 }), fc.nat({ max: 120 })).map(String);
  const part = fc.tuple(fc.nat({ max: 2_000 }), fc.constantFrom('h', 'm', 's')).map((pair) => pair.join(''));
  const time = fc.array(part, { maxLength: 3 }).map((parts) => parts.join(''));
  // JSON cannot carry half a surrogate pair.
  const text = fc.string({ unit: 'binary', maxLength: 20 }).map((each) => each.toWellFormed());
  const value = fc.oneof(text, number, time, fc.constantFrom('5', '100', '64', 'tcp', 'lo'));
  const key = fc.oneof({ weight: 3, arbitrary: known }, { weight: 1, arbitrary: unknown });
  const kinds = { allowed: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(fc.dictionary(key, value, { minKeys: 1, maxKeys: 2 }), async (given) => {
      const annotations = { [captureAnnotation]: '1', ...given };
      const refusal = await refusalOf(annotateWeb(guarded, annotations));
      const { kind } = requestOf({ annotations, hostNetwork: false }, limits);
      expect(refusal === undefined).toBe(kind === 'capture');
      kinds[refusal === undefined ? 'allowed' : 'refused'] += 1;
    }),
    { numRuns: 200 },
  );
  expect(Math.min(...Object.values(kinds))).toBeGreaterThan(0);
});

test('an unknown annotation of a captured Pod is refused, also if it was there before', async ({
  guarded,
}) => {
  const unknown = { 'podcap.dev/filters': 'tcp' };
  const message = `annotation podcap.dev/filters is unknown: must be one of ${options.join(', ')}`;
  for (const annotations of [unknown, { 'Podcap.dev/filter': 'tcp' }]) {
    const [key] = Object.keys(annotations);
    const refusal = await refusalOf(annotateWeb(guarded, { [captureAnnotation]: '1', ...annotations }));
    expect(refusal?.message).toContain(message.replace('podcap.dev/filters', key ?? ''));
  }
  await guarded.create(idle({ name: 'unused', annotations: unknown, ...unscheduled }));
  const change = (annotations: object) =>
    guarded.client.patch({
      path: `${podsOf(guarded)}/unused`,
      query: dryRun,
      body: { metadata: { annotations } },
    });
  expect((await refusalOf(change({ [captureAnnotation]: '1' })))?.message).toContain(message);
  expect(await refusalOf(change({ 'podcap.dev/other': '1' }))).toBeUndefined();
  expect(await refusalOf(change({ [captureAnnotation]: '1', 'podcap.dev/filters': null }))).toBeUndefined();
});

// 256 KiB of annotations, the most that fit, with which a loop over them takes the API server more than 30 s.
test('a Pod with 46,000 annotations is checked like any other, except for unknown annotations', async ({
  guarded,
}) => {
  const others = Object.fromEntries(range(0, 46_000).map((i) => [i.toString(36), '']));
  const create = (annotations: Readonly<Record<string, string>>) =>
    refusalOf(
      guarded.client.create({
        path: podsOf(guarded),
        query: dryRun,
        body: idle({ name: 'large', annotations: { ...others, ...annotations }, ...unscheduled }),
        deadlineMs: 30_000,
      }),
    );
  expect((await create({ [captureAnnotation]: '0' }))?.message).toContain('annotation tcpdump.antrea.io="0"');
  expect(await create({ [captureAnnotation]: '1', 'podcap.dev/filters': '' })).toBeUndefined();
});

test('the API server refuses a filter with a loop', async ({ guarded }) => {
  for (const filter of ['ip protochain 17', 'tcp or ip6 protochain 6']) {
    const refusal = await refusalOf(annotateWeb(guarded, { 'podcap.dev/filter': filter }));
    expect(refusal?.message).toContain('annotation podcap.dev/filter: the kernel cannot run protochain');
  }
});

test('kubectl annotate prints which values are allowed', async ({ guarded: { namespace } }) => {
  const annotate = kubectl('-n', namespace, 'annotate', 'pod', 'web', `${captureAnnotation}=many`);
  await expect(annotate).rejects.toThrow(
    'annotation tcpdump.antrea.io="many": must be a whole number of capture files from 1 to 100',
  );
});

test('a template is validated as its Pods would be', async ({ guarded: { client, namespace } }) => {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const body = workload({ annotations: { [captureAnnotation]: '0' } });
  const refusal = await refusalOf(client.create({ path, query: dryRun, body }));
  expect(refusal?.message).toContain(`annotation ${captureAnnotation}="0"`);
});

test('a Pod that has invalid values can be labeled, fixed step by step, and deleted', async ({ guarded }) => {
  const path = `${podsOf(guarded)}/bad`;
  const change = (metadata: object) => refusalOf(guarded.client.patch({ path, body: { metadata } }));
  expect(await change({ labels: { team: 'network' } })).toBeUndefined();
  expect(await change({ annotations: { 'podcap.dev/interface': 'any' } })).toMatchObject({ status: 422 });
  expect(await change({ annotations: { [captureAnnotation]: '00' } })).toMatchObject({ status: 422 });
  expect(await change({ annotations: { [captureAnnotation]: '5' } })).toBeUndefined();
  expect(await change({ annotations: { 'podcap.dev/snaplen': null } })).toBeUndefined();
  await guarded.delete('bad', '--grace-period=0', '--force');
});

function podsOf({ namespace }: TestCluster): string {
  return `/api/v1/namespaces/${namespace}/pods`;
}

async function annotateWeb(
  cluster: TestCluster,
  annotations: Readonly<Record<string, string>>,
): Promise<unknown> {
  const body = { metadata: { annotations } };
  return await cluster.client.patch({ path: `${podsOf(cluster)}/web`, query: dryRun, body });
}

/** The values that the policy's message allows instead; undefined if the API server accepts this one. */
async function refusedByApiServer(
  cluster: TestCluster,
  key: string,
  value: string,
): Promise<string | undefined> {
  const message = (await refusalOf(annotateWeb(cluster, { [key]: value })))?.message;
  return message && (new RegExp(`annotation ${key}=".*": must be (.*)$`, 's').exec(message)?.[1] ?? message);
}

/** The values that the agent's message allows instead; undefined if the agent accepts this one. */
function refusedByAgent(key: string, value: string): string | undefined {
  const annotations = { [captureAnnotation]: '1', [key]: value };
  const { kind } = requestOf({ annotations, hostNetwork: false }, limits);
  return kind === 'refused' ? rules.find((rule) => rule.key === key)?.allowed : undefined;
}
