import { describe, expect, test } from 'vitest';
import { startedHubApi } from './testing/started-hub-api.ts';

const discovery = (version: string) =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
const capture = { group: 'podcap.dev', version: 'v1alpha1', kind: 'Capture' };

describe('discovery', () => {
  test('lists the resources, without delete: namespaces must not wait for captures', async () => {
    await using hub = await startedHubApi();
    const { json, headers } = await hub.ask('/apis/podcap.dev/v1alpha1');
    expect(headers['content-type']).toBe('application/json');
    expect(json).toEqual({
      kind: 'APIResourceList',
      apiVersion: 'v1',
      groupVersion: 'podcap.dev/v1alpha1',
      resources: [
        {
          name: 'captures',
          singularName: 'capture',
          namespaced: true,
          kind: 'Capture',
          verbs: ['get', 'list', 'watch'],
          shortNames: ['cap'],
        },
        { name: 'captures/log', singularName: '', namespaced: true, kind: 'Capture', verbs: ['get'] },
        { name: 'captures/attach', singularName: '', namespaced: true, kind: 'Capture', verbs: ['get'] },
      ],
    });
  });

  test('names the group and its version', async () => {
    await using hub = await startedHubApi();
    const version = { groupVersion: 'podcap.dev/v1alpha1', version: 'v1alpha1' };
    const group = { name: 'podcap.dev', versions: [version], preferredVersion: version };
    expect((await hub.ask('/apis/podcap.dev')).json).toEqual({
      kind: 'APIGroup',
      apiVersion: 'v1',
      ...group,
    });
    const groups = await hub.ask('/apis', { accept: 'application/json' });
    expect(groups.headers['content-type']).toBe('application/json');
    expect(groups.json).toEqual({ kind: 'APIGroupList', apiVersion: 'v1', groups: [group] });
  });

  test.each([
    [`${discovery('v2')},${discovery('v2beta1')},application/json`, 'v2'],
    [`${discovery('v2beta1')},application/json;q=0.9`, 'v2beta1'],
    [`application/json;q=0.8,${discovery('v2beta1')};q=0.9`, 'v2beta1'],
    [`${discovery('v3')},${discovery('v2')};profile=nopeer`, 'v2'],
  ])('aggregates it for %j in %s', async (accept, version) => {
    await using hub = await startedHubApi();
    const { json, headers } = await hub.ask('/apis', { accept });
    expect(headers['content-type']).toBe(discovery(version));
    expect(json).toEqual({
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
      items: [
        {
          metadata: { name: 'podcap.dev', creationTimestamp: null },
          versions: [
            {
              version: 'v1alpha1',
              freshness: 'Current',
              resources: [
                {
                  resource: 'captures',
                  responseKind: capture,
                  scope: 'Namespaced',
                  singularResource: 'capture',
                  verbs: ['get', 'list', 'watch'],
                  shortNames: ['cap'],
                  subresources: [
                    { subresource: 'log', responseKind: capture, verbs: ['get'] },
                    { subresource: 'attach', responseKind: capture, verbs: ['get'] },
                  ],
                },
              ],
            },
          ],
        },
      ],
    });
  });

  test.each([
    ['/apis', discovery('v3')],
    ['/apis', 'application/vnd.kubernetes.protobuf'],
    ['/apis', 'text/html'],
    ['/apis/podcap.dev/v1alpha1', 'application/vnd.kubernetes.protobuf'],
    ['/openapi/v3', 'text/html'],
  ])('%s refuses %j with 406', async (path, accept) => {
    await using hub = await startedHubApi();
    const { status, json, headers } = await hub.ask(path, { accept });
    expect(status).toBe(406);
    expect(headers['content-type']).toBe('application/json');
    expect(json).toMatchObject({ kind: 'Status', reason: 'NotAcceptable' });
  });

  test.each(['/apis', '/apis/podcap.dev/v1alpha1', '/openapi/v3', '/openapi/v3/apis/podcap.dev/v1alpha1'])(
    '%s is not sent again to whoever has it',
    async (path) => {
      await using hub = await startedHubApi();
      const { headers } = await hub.ask(path);
      const again = await hub.ask(path, { headers: { 'if-none-match': headers.etag } });
      expect(again.status).toBe(304);
      expect(again.text).toBe('');
      const other = await hub.ask(path, { headers: { 'if-none-match': '"other"' } });
      expect(other.status).toBe(200);
    },
  );

  test('gives the two forms of /apis different ETags', async () => {
    await using hub = await startedHubApi();
    const plain = await hub.ask('/apis');
    const aggregated = await hub.ask('/apis', { accept: discovery('v2') });
    expect(plain.headers.etag).not.toBe(aggregated.headers.etag);
  });

  test('answers anyone, over a connection that it does not keep', async () => {
    await using hub = await startedHubApi();
    const kept = { headers: { connection: 'keep-alive' } };
    const { status, headers } = await hub.ask('/apis/podcap.dev/v1alpha1', { ...kept, certificate: 'none' });
    expect(status).toBe(200);
    expect(headers.connection).toBe('close');
    const known = await hub.ask('/apis/podcap.dev/v1alpha1', kept);
    expect(known.headers.connection).toBe('keep-alive');
  });

  test('is only read', async () => {
    await using hub = await startedHubApi();
    for (const method of ['POST', 'DELETE', 'HEAD']) {
      expect((await hub.ask('/apis/podcap.dev/v1alpha1', { method })).status).toBe(405);
    }
  });
});

describe('OpenAPI', () => {
  test('is found under the URL with its hash', async () => {
    await using hub = await startedHubApi();
    const root = await hub.ask('/openapi/v3');
    const { serverRelativeURL } = pathOf(root.json);
    const found = await hub.ask(serverRelativeURL);
    expect(found.json).toMatchObject({ openapi: '3.0.0' });
    const older = await hub.ask('/openapi/v3/apis/podcap.dev/v1alpha1?hash=OLD');
    expect(older.status).toBe(301);
    expect(older.headers.location).toBe(serverRelativeURL);
    for (const query of ['', '?hash='])
      expect((await hub.ask(`/openapi/v3/apis/podcap.dev/v1alpha1${query}`)).text).toBe(found.text);
    expect((await hub.ask('/openapi/v2')).status).toBe(404);
  });
});

describe('health', () => {
  test('is well as long as the hub answers', async () => {
    await using hub = await startedHubApi({ notReady: () => 'no agent is connected' });
    for (const path of ['/healthz', '/livez', '/livez?verbose', '/readyz?exclude=x']) {
      const { status, text, headers } = await hub.ask(path, { certificate: 'none' });
      expect([status, text]).toEqual(
        path.startsWith('/readyz') ? [503, 'no agent is connected'] : [200, 'ok'],
      );
      expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    }
  });

  test('says its version', async () => {
    await using hub = await startedHubApi();
    expect((await hub.ask('/readyz')).text).toBe('ok');
    expect((await hub.ask('/version')).json).toEqual({ gitVersion: '0.1.0' });
  });
});

function pathOf(root: unknown): { readonly serverRelativeURL: string } {
  const expected = { paths: { 'apis/podcap.dev/v1alpha1': { serverRelativeURL: expect.any(String) } } };
  expect(root).toEqual(expected);
  const [, serverRelativeURL = ''] = /"serverRelativeURL":"([^"]*)"/.exec(JSON.stringify(root)) ?? [];
  expect(serverRelativeURL).toMatch(/^\/openapi\/v3\/apis\/podcap.dev\/v1alpha1\?hash=[0-9A-F]{128}$/);
  return { serverRelativeURL };
}
