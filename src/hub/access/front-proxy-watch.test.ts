import { expect, onTestFinished, test } from 'vitest';
import { until } from '../../base/until.ts';
import { kubernetesClient } from '../../kubernetes/client.ts';
import { apiServer } from '../../kubernetes/testing/api-server.ts';
import { authority } from '../../kubernetes/testing/certificate.ts';
import { memoryLog } from '../../kubernetes/testing/memory-logger.ts';
import { type FrontProxyWatch, watchFrontProxy } from './front-proxy-watch.ts';

const [front, next] = await Promise.all([authority('front-proxy-ca'), authority('front-proxy-ca')]);

function configMap(ca: string, allowedNames = '["front-proxy-client"]', resourceVersion = '1'): object {
  return {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system', resourceVersion },
    data: {
      'client-ca-file': front.cert,
      'requestheader-client-ca-file': ca,
      'requestheader-allowed-names': allowedNames,
      'requestheader-username-headers': '["X-Remote-User"]',
    },
  };
}

async function scene(...items: readonly object[]) {
  const server = await apiServer();
  server.objects.set('/api/v1/namespaces/kube-system/configmaps', {
    kind: 'ConfigMapList',
    metadata: { resourceVersion: '1' },
    items,
  });
  const client = kubernetesClient(server.config);
  const log = memoryLog();
  const changes: (string | undefined)[] = [];
  const watch: FrontProxyWatch = watchFrontProxy({
    client,
    log,
    signal: new AbortController().signal,
    onChange: () => changes.push(watch.trust()?.ca),
    limits: { settledMs: 0, backoff: { minMs: 1, maxMs: 4 } },
  });
  onTestFinished(async () => {
    await watch[Symbol.asyncDispose]();
    await client[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  return { server, log, watch, changes };
}

test('reads the configuration of the API server', async () => {
  const { server, watch, changes } = await scene(configMap(front.cert));
  expect(await watch.first).toMatchObject({ kind: 'trust', ca: front.cert });
  expect(watch.trust()?.ca).toBe(front.cert);
  expect(changes).toEqual([]);
  expect(server.requests[0]?.query).toMatchObject({
    fieldSelector: 'metadata.name=extension-apiserver-authentication',
  });
});

test('follows its changes, and ignores those that change nothing', async () => {
  const { server, watch, changes } = await scene(configMap(front.cert));
  const stream = await server.nextWatch();
  stream.send({ type: 'MODIFIED', object: configMap(front.cert, undefined, '2') });
  stream.send({ type: 'MODIFIED', object: configMap(next.cert, undefined, '3') });
  await until(() => watch.trust()?.ca === next.cert, { what: 'the new authority' });
  expect(changes).toEqual([next.cert]);
});

test('says why the first answer trusts nobody', async () => {
  const { watch } = await scene(configMap(front.cert, '[]'));
  expect(await watch.first).toMatchObject({ kind: 'problem', reason: 'AnyClientCertificate' });
  expect(watch.trust()).toBeUndefined();
});

test('trusts nobody from a bad change on, until it is repaired', async () => {
  const { server, watch, log, changes } = await scene(configMap(front.cert));
  const stream = await server.nextWatch();
  stream.send({ type: 'MODIFIED', object: configMap(front.cert, '[]', '2') });
  await until(() => watch.trust() === undefined, { what: 'the bad configuration' });
  expect(log.lines).toMatchObject([
    { message: 'trust no front proxy', fields: { reason: 'AnyClientCertificate' } },
  ]);
  stream.send({ type: 'MODIFIED', object: configMap(front.cert, undefined, '3') });
  await until(() => watch.trust() !== undefined, { what: 'the repaired configuration' });
  expect(changes).toEqual([undefined, front.cert]);
});

test('keeps what it knows while the ConfigMap is gone and the API server cannot be reached', async () => {
  const { server, watch, log } = await scene(configMap(front.cert));
  const stream = await server.nextWatch();
  stream.send({ type: 'DELETED', object: configMap(front.cert, undefined, '2') });
  await until(() => log.lines.some(({ message }) => message.startsWith('missing')), { what: 'the deletion' });
  server.cutAll();
  await until(() => log.lines.some(({ message }) => message === 'watch interrupted'), { what: 'the cut' });
  expect(watch.trust()?.ca).toBe(front.cert);
});

test('waits for a ConfigMap that does not exist yet', async () => {
  const { server, watch } = await scene();
  const stream = await server.nextWatch();
  expect(watch.trust()).toBeUndefined();
  stream.send({ type: 'ADDED', object: configMap(front.cert, undefined, '2') });
  expect(await watch.first).toMatchObject({ kind: 'trust' });
});

test('who waits for the first answer learns that the hub stops', async () => {
  const { watch } = await scene();
  await watch[Symbol.asyncDispose]();
  await expect(watch.first).rejects.toThrow('aborted');
});
