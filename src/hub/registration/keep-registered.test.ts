import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { kubernetesClient } from '../../kubernetes/client.ts';
import { apiServer, refusal } from '../../kubernetes/testing/api-server.ts';
import { memoryLog } from '../../kubernetes/testing/memory-logger.ts';
import { type HubIdentity, hubCertificates } from '../certificates/hub-certificates.ts';
import type { Registration } from './api-service.ts';
import { keepRegistered } from './keep-registered.ts';

const apiService = '/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.podcap.dev';

test('has a certificate at once, and registers when the hub is ready, again and again', async () => {
  await using scene = await keeping();
  await until(() => scene.identities.length > 0, { what: 'a certificate' });
  await until(() => scene.reads() > 5, { what: 'several looks' });
  expect(scene.registrations).toEqual([]);
  scene.ready();
  await until(() => scene.registrations.length > 2, { what: 'three registrations' });
  expect(scene.identities).toHaveLength(1);
  expect(scene.messages()).toEqual([
    'certificate authority created',
    'certificate authorities published',
    'API registered',
  ]);
});

test('says once why it fails, and goes on', async () => {
  await using scene = await keeping();
  await until(() => scene.messages().includes('certificate authorities published'), { what: 'an authority' });
  scene.server.script.write.push(...Array.from({ length: 3 }, () => refusal(403, 'Forbidden')));
  scene.ready();
  await until(() => scene.registrations.length > 0, { what: 'a registration' });
  expect(scene.messages().filter((message) => message.startsWith('failed'))).toHaveLength(1);
});

test('registers also while its Secret and ConfigMap are gone, which it may not create', async () => {
  await using scene = await keeping();
  await until(() => scene.identities.length > 0, { what: 'a certificate' });
  for (const path of scene.certificateObjects) scene.server.absent.add(path);
  await until(() => scene.messages().filter((message) => message.startsWith('failed')).length === 2, {
    what: 'a line about each',
  });
  scene.ready();
  await until(() => scene.registrations.length > 2, { what: 'three registrations' });
  expect(scene.messages().filter((message) => message.startsWith('failed'))).toHaveLength(2);
  expect(scene.identities).toHaveLength(1);
});

test("says once that another release's API is registered", async () => {
  await using scene = await keeping();
  scene.server.objects.set(apiService, { spec: { service: { namespace: 'other', name: 'hub' } } });
  scene.ready();
  await until(() => scene.registrations.length > 2, { what: 'three attempts' });
  expect(scene.registrations[0]).toEqual({ kind: 'taken', by: 'other/hub' });
  expect(scene.messages().filter((message) => message.startsWith('API'))).toEqual([
    'API not registered: another hub has registered it',
  ]);
});

async function keeping() {
  await using resources = new AsyncDisposableStack();
  const server = resources.use(await apiServer());
  const client = resources.use(kubernetesClient(server.config));
  const names = { namespace: 'kube-system', name: 'podcap-hub' };
  const core = '/api/v1/namespaces/kube-system';
  const certificateObjects = [`${core}/secrets/podcap-hub`, `${core}/configmaps/podcap-hub-ca`];
  for (const path of certificateObjects) server.objects.set(path, { metadata: { resourceVersion: '1' } });
  server.objects.set('/apis/apps/v1/namespaces/kube-system/deployments/podcap-hub', {
    spec: { replicas: 2 },
  });
  server.objects.set('/apis/rbac.authorization.k8s.io/v1/clusterroles/podcap-hub', {
    metadata: { uid: 'role' },
  });
  server.absent.add(apiService);
  const log = memoryLog();
  const ending = new AbortController();
  const identities: HubIdentity[] = [];
  const registrations: Registration[] = [];
  let isReady = false;
  const running = keepRegistered({
    ...names,
    client,
    certificates: hubCertificates({ ...names, client, unixMs: Date.now, log }),
    onIdentity: (identity) => identities.push(identity),
    isReady: () => isReady,
    onRegistration: (registration) => registrations.push(registration),
    everyMs: 10,
    log,
    signal: ending.signal,
  });
  resources.defer(async () => {
    ending.abort();
    await running;
  });
  const owned = resources.move();
  return {
    server,
    certificateObjects,
    identities,
    registrations,
    ready() {
      isReady = true;
      server.absent.delete(apiService);
      if (!server.objects.has(apiService)) server.objects.set(apiService, { spec: { service: names } });
    },
    reads: () => server.requests.filter(({ method }) => method === 'GET').length,
    messages: () => log.lines.map(({ message }) => message),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
