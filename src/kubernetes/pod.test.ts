import { expect, test } from 'vitest';
import { kubernetesClient } from './client.ts';
import { parsePod, readPod } from './pod.ts';
import { type Answer, apiServer, refusal } from './testing/api-server.ts';
import { podObject } from './testing/pod-object.ts';

test('keeps of a Pod what Podcap uses', () => {
  const annotations = {
    'tcpdump.antrea.io': '5',
    'podcap.dev/filter': 'tcp',
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
        'kubernetes.io/config.hash': 'abc',
        'kubernetes.io/config.mirror': 'abc',
      },
      hostNetwork: false,
      nodeName: 'node1',
      phase: 'Running',
    },
  });
});

const metadata = {
  namespace: 'default',
  name: 'web',
  uid: 'u',
  resourceVersion: '1',
  creationTimestamp: '2026-01-01T00:00:00Z',
};

test.each([
  { name: 'no annotations', object: { metadata, spec: {} }, part: { annotations: {} } },
  { name: 'no Node yet', object: { metadata, spec: {} }, part: { nodeName: '', phase: 'Pending' } },
  {
    name: 'the network of its Node',
    object: { metadata, spec: { hostNetwork: true } },
    part: { hostNetwork: true },
  },
  {
    name: 'a time of deletion',
    object: { metadata: { ...metadata, deletionTimestamp: '2026-01-02T00:00:00Z' }, spec: {} },
    part: { deletionTimestamp: '2026-01-02T00:00:00Z' },
  },
])('takes a Pod with $name', ({ object, part }) => {
  expect(parsePod(object)).toMatchObject({ kind: 'valid', object: part });
});

test.each([
  { name: 'no object', object: 'x', problem: 'the object' },
  { name: 'no metadata', object: { spec: {} }, problem: 'metadata' },
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
])('names the field of $name', ({ object, problem }) => {
  expect(parsePod(object)).toMatchObject({
    kind: 'invalid',
    problem: expect.stringContaining(`${problem}: `),
  });
});

test('reads a Pod as it is now', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  server.script.read.push({ kind: 'json', body: podObject('web', '9') });
  expect(await readPod(client, { namespace: 'default', name: 'web' })).toMatchObject({ uid: 'uid-web' });
  expect(server.requests[0]).toMatchObject({ path: '/api/v1/namespaces/default/pods/web', query: {} });
});

test('reads nothing where the API server has no such Pod', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  server.script.read.push(refusal(404, 'NotFound'));
  expect(await readPod(client, { namespace: 'default', name: 'web' })).toBeUndefined();
});

test.each<{ name: string; answer: Answer }>([
  { name: 'a 404 that is a proxy’s', answer: { kind: 'json', status: 404, body: 'page not found' } },
  { name: 'a refusal', answer: refusal(403, 'Forbidden') },
  { name: 'an answer that is no Pod', answer: { kind: 'json', body: {} } },
])('concludes nothing from $name', async ({ answer }) => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  server.script.read.push(answer);
  await expect(readPod(client, { namespace: 'default', name: 'web' })).rejects.toThrow('pods/web');
});
