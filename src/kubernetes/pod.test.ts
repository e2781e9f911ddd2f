import fc from 'fast-check';
import { expect, test } from 'vitest';
import { kubernetesClient } from './client.ts';
import { longestEndMs, networkUidOf, parsePod, readPod } from './pod.ts';
import { apiServer, refusal, type ScriptedAnswer } from './testing/api-server.ts';
import { podObject } from './testing/pod-object.ts';

test('keeps the fields of a Pod that Podcap uses', () => {
  const annotations = {
    'tcpdump.antrea.io': '5',
    'podcap.dev/filter': 'tcp',
    'Podcap.dev/filter': 'udp',
    'kubernetes.io/config.hash': 'abc',
    'kubernetes.io/config.mirror': 'abc',
    'kubectl.kubernetes.io/last-applied-configuration': '{}',
    'tcpdump.antrea.io/other': 'x',
  };
  expect(parsePod(podObject('web', '7', annotations))).toEqual({
    kind: 'valid',
    object: {
      namespace: 'default',
      name: 'web',
      uid: 'uid-web',
      resourceVersion: '7',
      creationTimestamp: '2026-01-01T00:00:00Z',
      annotations: {
        'tcpdump.antrea.io': '5',
        'podcap.dev/filter': 'tcp',
        'Podcap.dev/filter': 'udp',
        'kubernetes.io/config.mirror': 'abc',
      },
      labels: { app: 'web' },
      hostNetwork: false,
      nodeName: 'node1',
      phase: 'Running',
      gracePeriodSeconds: 30,
      containers: [],
    },
  });
});

test('keeps every label of a Pod, or none if it has very many', () => {
  const labelsOf = (labels: object) => {
    const parsed = parsePod({ metadata: { ...metadata, labels }, spec: {} });
    return parsed.kind === 'valid' ? parsed.object.labels : 'invalid';
  };
  expect(labelsOf({ constructor: 'x', app: 'web' })).toEqual({ constructor: 'x', app: 'web' });
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`label-${i}`, 'x'.repeat(50)]));
  expect(labelsOf(many)).toEqual(many);
  expect(labelsOf({ ...many, long: 'x'.repeat(4_000) })).toBeUndefined();
  expect(labelsOf({ app: 1 })).toBe('invalid');
  expect(labelsOf([])).toBe('invalid');
});

test.each([
  ['any Pod', {}, 'uid-web'],
  [
    'a static Pod by its mirror',
    { 'kubernetes.io/config.mirror': 'abc', 'kubernetes.io/config.hash': 'abc' },
    'abc',
  ],
  ['a Pod that claims to be static', { 'kubernetes.io/config.hash': 'of-another' }, 'uid-web'],
])('identifies the network of %s', (_what, annotations, uid) => {
  const parsed = parsePod(podObject('web', '7', annotations));
  expect(parsed.kind === 'valid' && networkUidOf(parsed.object)).toBe(uid);
});

const metadata = {
  namespace: 'default',
  name: 'web',
  uid: 'u',
  resourceVersion: '1',
  creationTimestamp: '2026-01-01T00:00:00Z',
};

test('of a Pod with very many or very long annotations, no more is kept than shows that they are not allowed', () => {
  const unknown = Array.from({ length: 10_000 }, (_, at) => [`podcap.dev/x${at}`, ''] as const);
  const parsed = parsePod(
    podObject('web', '7', { ...Object.fromEntries(unknown), 'tcpdump.antrea.io': '5'.repeat(100_000) }),
  );
  if (parsed.kind !== 'valid') throw new Error(parsed.problem);
  const { 'tcpdump.antrea.io': files = '', ...others } = parsed.object.annotations;
  expect(files).toBe('5'.repeat(4_096));
  expect(Object.keys(others)).toHaveLength(64);
});

test.each([
  { name: 'no annotations', object: { metadata, spec: {} }, part: { annotations: {} } },
  { name: 'no Node yet', object: { metadata, spec: {} }, part: { nodeName: '', phase: 'Pending' } },
  {
    name: 'the host network',
    object: { metadata, spec: { hostNetwork: true } },
    part: { hostNetwork: true },
  },
  {
    name: 'a deletion timestamp',
    object: { metadata: { ...metadata, deletionTimestamp: '2026-01-02T00:00:00Z' }, spec: {} },
    part: { deletionTimestamp: '2026-01-02T00:00:00Z' },
  },
  { name: 'no grace period', object: { metadata, spec: {} }, part: { gracePeriodSeconds: 30 } },
  {
    name: 'a grace period',
    object: { metadata, spec: { terminationGracePeriodSeconds: 3_600 } },
    part: { gracePeriodSeconds: 3_600 },
  },
  {
    name: 'a deletion by force',
    object: {
      metadata: { ...metadata, deletionGracePeriodSeconds: 0 },
      spec: { terminationGracePeriodSeconds: 3_600 },
    },
    part: { gracePeriodSeconds: 3_600 },
  },
  {
    name: 'a deletion with a longer grace period',
    object: {
      metadata: { ...metadata, deletionGracePeriodSeconds: 600 },
      spec: { terminationGracePeriodSeconds: 5 },
    },
    part: { gracePeriodSeconds: 600 },
  },
])('accepts a Pod with $name', ({ object, part }) => {
  expect(parsePod(object)).toMatchObject({ kind: 'valid', object: part });
});

test("a Pod's network may exist for longer than its grace period", () => {
  expect(longestEndMs({ gracePeriodSeconds: 0 })).toBe(60_000);
  expect(longestEndMs({ gracePeriodSeconds: 3_600 })).toBe(3_660_000);
});

test.each([
  { name: 'something that is not an object', object: 'x', problem: 'the object' },
  { name: 'missing metadata', object: { spec: {} }, problem: 'metadata' },
  {
    name: 'a name that is a number',
    object: { metadata: { ...metadata, name: 5 }, spec: {} },
    problem: 'metadata.name',
  },
  { name: 'a wrong flag', object: { metadata, spec: { hostNetwork: 'yes' } }, problem: 'spec.hostNetwork' },
  {
    name: 'an annotation that is a number',
    object: { metadata: { ...metadata, annotations: { 'tcpdump.antrea.io': 5 } }, spec: {} },
    problem: 'metadata.annotations.tcpdump.antrea.io',
  },
])('names the field for $name', ({ object, problem }) => {
  expect(parsePod(object)).toMatchObject({
    kind: 'invalid',
    problem: expect.stringContaining(`${problem}: `),
  });
});

test('never throws: any value is a Pod, or the problem names the field', () => {
  const any = fc.anything({ withNullPrototype: true, withBigInt: false });
  const near = fc.record(
    {
      metadata: fc.record(
        {
          ...Object.fromEntries(Object.keys(metadata).map((key) => [key, fc.oneof(fc.string(), any)])),
          annotations: fc.oneof(fc.dictionary(fc.string(), fc.oneof(fc.string(), any)), any),
          labels: fc.oneof(fc.dictionary(fc.string(), fc.oneof(fc.string(), any)), any),
        },
        { requiredKeys: [] },
      ),
      spec: fc.oneof(
        fc.record(
          { hostNetwork: any, nodeName: any, terminationGracePeriodSeconds: any },
          { requiredKeys: [] },
        ),
        any,
      ),
      status: fc.oneof(fc.record({ phase: any }), any),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(any, near), (object) => {
      const parsed = parsePod(object);
      const { uid, annotations } = parsed.kind === 'valid' ? parsed.object : { uid: '', annotations: {} };
      expect(typeof uid).toBe('string');
      expect(Object.values(annotations).every((value) => typeof value === 'string')).toBe(true);
      expect(parsed.kind === 'invalid' ? parsed.problem : 'none').not.toBe('');
    }),
    { numRuns: 1_000 },
  );
});

test('reads a Pod as it is now', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  server.script.read.push({ kind: 'json', body: podObject('web', '9') });
  expect(await readPod(client, { namespace: 'default', name: 'web' })).toMatchObject({ uid: 'uid-web' });
  expect(server.requests[0]).toMatchObject({ path: '/api/v1/namespaces/default/pods/web', query: {} });
});

test('returns undefined when the API server has no such Pod', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  server.script.read.push(refusal(404, 'NotFound'));
  expect(await readPod(client, { namespace: 'default', name: 'web' })).toBeUndefined();
});

test.each<{ name: string; answer: ScriptedAnswer }>([
  { name: 'a 404 of a proxy', answer: { kind: 'json', status: 404, body: 'page not found' } },
  { name: 'a refusal', answer: refusal(403, 'Forbidden') },
  { name: 'a response that is not a Pod', answer: { kind: 'json', body: {} } },
])('concludes nothing from $name', async ({ answer }) => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  server.script.read.push(answer);
  await expect(readPod(client, { namespace: 'default', name: 'web' })).rejects.toThrow('pods/web');
});
