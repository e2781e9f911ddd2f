import { request } from 'node:https';
import { json } from 'node:stream/consumers';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { kubernetesClient } from '../kubernetes/client.ts';
import { type ApiServer, apiServer } from '../kubernetes/testing/api-server.ts';
import { type Authority, authority, type Certificate } from '../kubernetes/testing/certificate.ts';
import { freePort } from '../testbed/loopback-port.ts';
import { runHub } from './hub.ts';
import { readHubSettings } from './hub-settings.ts';

const core = '/api/v1/namespaces/kube-system';
const secret = `${core}/secrets/podcap-hub`;
const configMap = `${core}/configmaps/podcap-hub-ca`;
const deployment = '/apis/apps/v1/namespaces/kube-system/deployments/podcap-hub';
const daemonSet = '/apis/apps/v1/namespaces/kube-system/daemonsets/podcap';
const clusterRole = '/apis/rbac.authorization.k8s.io/v1/clusterroles/podcap-hub';
const apiService = '/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.podcap.dev';

test('serves discovery before agents are connected, and registers once it is ready', async () => {
  await using scene = await hub({ readyAgents: 1 });
  await until(async () => (await scene.ready()) === 'agents connected: 0 of 1\n', { what: 'a started hub' });
  expect(await scene.get('/apis/podcap.dev/v1alpha1')).toMatchObject({ kind: 'APIResourceList' });
  expect(scene.writesTo(apiService)).toEqual([]);
  scene.server.objects.set(daemonSet, { status: { numberReady: 0 } });
  await until(() => scene.writesTo(apiService).includes('PATCH'), { what: 'the registration' });
  expect(await scene.ready()).toBe('ok\n');
  expect(await scene.metrics()).toContain('\npodcap_hub_api_registered 1\n');
});

test('takes a new authority of the API server without a restart', async () => {
  await using scene = await hub({ readyAgents: 0 });
  await until(async () => (await scene.ready()) === 'ok\n', { what: 'a ready hub' });
  const next = await authority('next');
  const client = await next.sign('client');
  expect(await scene.get('/apis/podcap.dev/v1alpha1/captures', client)).toMatchObject({ code: 401 });
  const watch = await scene.server.nextWatch();
  watch.send({ type: 'MODIFIED', object: authentication(next, '2') });
  // Known, and refused for another reason: this API server answers no SubjectAccessReview.
  const isKnown = async () =>
    JSON.stringify(await scene.get('/apis/podcap.dev/v1alpha1/captures', client)).includes('"code":503');
  await until(isKnown, { what: 'the new authority to be trusted' });
});

test.each([
  { replicas: 2, isDeleted: false },
  { replicas: 0, isDeleted: true },
])('stopped while $replicas replicas are wanted, it takes its API back: $isDeleted', async (expected) => {
  await using scene = await hub({ readyAgents: 0 });
  await until(() => scene.writesTo(apiService).includes('PATCH'), { what: 'the registration' });
  scene.server.objects.set(deployment, { spec: { replicas: expected.replicas } });
  scene.stop();
  await until(async () => (await scene.ready()) === 'stopping\n', { what: 'a hub that is not ready' });
  // What is still on its way to it is answered.
  expect(await scene.get('/apis/podcap.dev/v1alpha1')).toMatchObject({ kind: 'APIResourceList' });
  await scene.ended;
  expect(scene.writesTo(apiService).includes('DELETE')).toBe(expected.isDeleted);
});

test('does not start where every client certificate of the cluster could speak for users', async () => {
  await using scene = await hub({ readyAgents: 0, names: '[]' });
  await expect(scene.ended).rejects.toThrow('AnyClientCertificate');
  expect(scene.writesTo(apiService)).toEqual([]);
});

test('stops while it waits for the API server', async () => {
  await using scene = await hub({ readyAgents: 0, isShipped: false });
  await until(async () => (await scene.ready()) === 'the API is not served yet\n', { what: 'a waiting hub' });
  scene.stop();
  await expect(scene.ended).resolves.toBeUndefined();
});

type HubSceneOptions = {
  readonly readyAgents: number;
  /** The allowed names, in JSON. */
  readonly names?: string;
  /** Whether the Secret exists. */
  readonly isShipped?: boolean;
};

/** A hub whose API server is a scripted one, with the objects of the chart. It looks at them every 20 ms. */
async function hub({ readyAgents, names = '["front-proxy client"]', isShipped = true }: HubSceneOptions) {
  await using resources = new AsyncDisposableStack();
  const frontProxy = await authority('front-proxy');
  const server = resources.use(await apiServer());
  const configuration = authentication(frontProxy, '1', names);
  server.objects.set(`${core}/configmaps`, {
    kind: 'ConfigMapList',
    metadata: { resourceVersion: '1' },
    items: [configuration],
  });
  for (const path of [secret, configMap]) {
    if (isShipped) server.objects.set(path, { metadata: { resourceVersion: '1' } });
    else server.absent.add(path);
  }
  server.objects.set(deployment, { spec: { replicas: 2 } });
  server.objects.set(daemonSet, { status: { numberReady: readyAgents } });
  server.objects.set(clusterRole, { metadata: { uid: 'role' } });
  server.objects.set(apiService, {
    spec: { service: { namespace: 'kube-system', name: 'podcap-hub' } },
  });
  const [apiPort, linkPort, probePort, metricsPort] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  const client = resources.use(kubernetesClient(server.config));
  const stopping = new AbortController();
  const settings = settingsWith({ apiPort, linkPort, probePort, metricsPort });
  const ended = runHub({
    settings,
    version: '1.2.3',
    client,
    log: pino({ level: 'silent' }),
    signal: stopping.signal,
    times: { lookEveryMs: 20, lameDuckMs: 500, graceMs: 1_000 },
  });
  ended.catch(() => {});
  resources.defer(async () => {
    stopping.abort();
    await ended.catch(() => {});
  });
  const certificate = await frontProxy.sign('client');
  const owned = resources.move();
  return {
    server,
    ended,
    stop: () => stopping.abort(),
    ready: () => text(`http://127.0.0.1:${probePort}/readyz`),
    metrics: () => text(`http://127.0.0.1:${metricsPort}/metrics`),
    get: (path: string, as = certificate) => ask(server, { port: apiPort, path, as }),
    writesTo: (path: string) =>
      server.requests
        .filter((each) => each.kind === 'write' && each.path === path)
        .map(({ method }) => method),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function settingsWith(ports: Readonly<Record<string, number>>) {
  const names = { apiPort: 'api', linkPort: 'link', probePort: 'probe', metricsPort: 'metrics' };
  const flags = Object.entries(names).map(([name, flag]) => `--${flag}-port=${ports[name]}`);
  const result = readHubSettings(flags, {
    PODCAP_DEPLOYMENT: 'kube-system/podcap-hub',
    PODCAP_DAEMON_SET: 'kube-system/podcap',
    PODCAP_AGENT_ACCOUNT: 'kube-system/podcap',
  });
  if (result.kind !== 'settings') throw new Error('the settings are not allowed');
  return result.settings;
}

/** ConfigMap extension-apiserver-authentication, where the client certificates of users have the same authority. */
function authentication({ cert }: Authority, resourceVersion: string, names = '["next client"]') {
  return {
    metadata: {
      name: 'extension-apiserver-authentication',
      namespace: 'kube-system',
      uid: 'a',
      resourceVersion,
    },
    data: {
      'client-ca-file': cert,
      'requestheader-client-ca-file': cert,
      'requestheader-allowed-names': names,
      'requestheader-username-headers': '["X-Remote-User"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
    },
  };
}

/** Undefined if nobody listens. */
async function text(url: string): Promise<string | undefined> {
  return await fetch(url).then(
    (response) => response.text(),
    () => undefined,
  );
}

type Question = { readonly port: number; readonly path: string; readonly as: Certificate };

/** Asks the hub as the API server does: by its published authority, with a client certificate, for a user. */
async function ask(server: ApiServer, { port, path, as }: Question): Promise<unknown> {
  const published: { readonly data?: Readonly<Record<string, string>> } = server.objects.get(configMap) ?? {};
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  request({
    host: '127.0.0.1',
    port,
    path,
    ca: published.data?.['ca.crt'],
    servername: 'podcap-hub.kube-system.svc',
    cert: as.cert,
    key: as.key,
    agent: false,
    headers: { 'x-remote-user': 'alice', accept: 'application/json' },
  })
    .on('response', (response) => void json(response).then(resolve, reject))
    .on('error', reject)
    .end();
  return await promise;
}
