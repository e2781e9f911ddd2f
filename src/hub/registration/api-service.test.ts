import { expect, test } from 'vitest';
import { kubernetesClient } from '../../kubernetes/client.ts';
import { type ApiServer, apiServer, refusal } from '../../kubernetes/testing/api-server.ts';
import { deregisterApiService, registerApiService } from './api-service.ts';

const apiService = '/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.podcap.dev';
const deployment = '/apis/apps/v1/namespaces/kube-system/deployments/podcap-hub';
const clusterRole = '/apis/rbac.authorization.k8s.io/v1/clusterroles/podcap-hub';

test('registers the Service, and lets the APIService go with the ClusterRole', async () => {
  await using cluster = await installed();
  cluster.absent.add(apiService);
  expect(await registerApiService(optionsOf(cluster), 'authorities')).toEqual({ kind: 'registered' });
  expect(writes(cluster)).toMatchObject([
    {
      method: 'PATCH',
      path: apiService,
      contentType: 'application/apply-patch+yaml',
      query: { fieldManager: 'podcap-hub', force: 'true' },
      body: {
        metadata: {
          name: 'v1alpha1.podcap.dev',
          ownerReferences: [{ kind: 'ClusterRole', name: 'podcap-hub', uid: 'role-uid' }],
        },
        spec: {
          group: 'podcap.dev',
          version: 'v1alpha1',
          service: { namespace: 'kube-system', name: 'podcap-hub', port: 443 },
          caBundle: Buffer.from('authorities').toString('base64'),
        },
      },
    },
  ]);
});

test('sets its own APIService right again and again', async () => {
  await using cluster = await installed();
  for (const bundle of ['one', 'two'])
    expect(await registerApiService(optionsOf(cluster), bundle)).toEqual({ kind: 'registered' });
  expect(writes(cluster)).toHaveLength(2);
});

test.each<{ what: string; change: (cluster: ApiServer) => void }>([
  { what: 'has no replicas', change: ({ objects }) => objects.set(deployment, { spec: { replicas: 0 } }) },
  { what: 'has lost its ClusterRole', change: ({ absent }) => absent.add(clusterRole) },
  {
    what: 'is losing its ClusterRole',
    change: ({ objects }) =>
      objects.set(clusterRole, { metadata: { uid: 'role-uid', deletionTimestamp: '2026-01-01T00:00:00Z' } }),
  },
])('a hub that $what does not register', async ({ change }) => {
  await using cluster = await installed();
  change(cluster);
  expect(await registerApiService(optionsOf(cluster), 'authorities')).toEqual({ kind: 'leaving' });
  expect(writes(cluster)).toEqual([]);
});

test("another release's APIService is left alone, also when this hub goes", async () => {
  await using cluster = await installed();
  cluster.objects.set(apiService, { spec: { service: { namespace: 'other', name: 'podcap-hub' } } });
  expect(await registerApiService(optionsOf(cluster), 'authorities')).toEqual({
    kind: 'taken',
    by: 'other/podcap-hub',
  });
  cluster.objects.set(deployment, { spec: { replicas: 0 } });
  expect(await deregisterApiService(optionsOf(cluster))).toBe(false);
  expect(writes(cluster)).toEqual([]);
});

test.each([
  { replicas: 0, isDeleted: true },
  { replicas: 1, isDeleted: false },
  { replicas: 2, isDeleted: false },
])(
  'when a replica stops and $replicas are wanted, the APIService is deleted: $isDeleted',
  async (expected) => {
    await using cluster = await installed();
    cluster.objects.set(deployment, { spec: { replicas: expected.replicas } });
    expect(await deregisterApiService(optionsOf(cluster))).toBe(expected.isDeleted);
    expect(writes(cluster).map(({ method }) => method)).toEqual(expected.isDeleted ? ['DELETE'] : []);
  },
);

test('a replica whose rights are gone reports that', async () => {
  await using cluster = await installed();
  cluster.script.read.push(refusal(403, 'Forbidden'));
  await expect(deregisterApiService(optionsOf(cluster))).rejects.toMatchObject({ status: 403 });
});

test('the second of two replicas that delete it finds nothing left', async () => {
  await using cluster = await installed();
  cluster.objects.set(deployment, { spec: { replicas: 0 } });
  cluster.script.write.push(refusal(404, 'NotFound'));
  expect(await deregisterApiService(optionsOf(cluster))).toBe(true);
});

async function installed(): Promise<ApiServer> {
  const cluster = await apiServer();
  cluster.objects.set(deployment, { spec: { replicas: 2 } });
  cluster.objects.set(clusterRole, { metadata: { uid: 'role-uid' } });
  cluster.objects.set(apiService, { spec: { service: { namespace: 'kube-system', name: 'podcap-hub' } } });
  return cluster;
}

function optionsOf(cluster: ApiServer) {
  return { client: kubernetesClient(cluster.config), namespace: 'kube-system', name: 'podcap-hub' };
}

function writes(cluster: ApiServer) {
  return cluster.requests.filter(({ kind }) => kind === 'write');
}
