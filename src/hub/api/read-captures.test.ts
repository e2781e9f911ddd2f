import { gunzipSync } from 'node:zlib';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { acceptsGzip } from './api-response.ts';
import { defaultCallLimits } from './open-calls.ts';
import { memoryCaptures, testCapture, testRecording } from './testing/memory-captures.ts';
import { send, startedHubApi } from './testing/started-hub-api.ts';
import { incompleteWarning } from './warning-header.ts';

const root = '/apis/podcap.dev/v1alpha1';
const web = testCapture({ labels: { app: 'web' } });
const db = testCapture({ name: 'db', version: '101', labels: { app: 'db' } });
const remote = testCapture({ name: 'db', namespace: 'other', version: '102', labels: { app: 'db' } });
const list = v.object({ items: v.array(v.object({ metadata: v.object({ name: v.string() }) })) });

/** More than is sent uncompressed. */
function manyCaptures(count: number) {
  const recordings = [testRecording({ message: 'a message of some length' })];
  return memoryCaptures(
    Array.from({ length: count }, (_, at) => testCapture({ name: `web-${at}`, recordings })),
  );
}

describe('a list', () => {
  test.each([
    ['captures', ['web-0', 'db', 'db']],
    ['namespaces/shop/captures', ['web-0', 'db']],
    ['namespaces/empty/captures', []],
    ['captures?labelSelector=app%20in%20(web,x)', ['web-0']],
    ['captures?labelSelector=app!%3Dweb', ['db', 'db']],
    ['captures?fieldSelector=metadata.namespace%3Dother', ['db']],
    ['captures?fieldSelector=metadata.name%3Ddb', ['db', 'db']],
    ['captures?fieldSelector=metadata.name!%3Ddb', ['web-0']],
  ])('%s has %j', async (path, expected) => {
    await using hub = await startedHubApi({ captures: memoryCaptures([web, db, remote]) });
    const { items } = v.parse(list, (await hub.ask(`${root}/${path}`)).json);
    expect(items.map(({ metadata }) => metadata.name)).toEqual(expected);
  });

  test('of one name needs only the right for that name, as at the API server', async () => {
    await using hub = await startedHubApi({ captures: memoryCaptures([web]) });
    await hub.ask(`${root}/namespaces/shop/captures?fieldSelector=metadata.name%3Dweb-0`);
    expect(hub.authorized).toMatchObject([{ verb: 'list', namespace: 'shop', name: 'web-0' }]);
  });

  test('is a Table, with the object for who sorts by it', async () => {
    await using hub = await startedHubApi({ captures: memoryCaptures([web]) });
    const accept = 'application/json;as=Table;v=v1beta1;g=meta.k8s.io';
    const table = await hub.ask(`${root}/captures?includeObject=Object`, { accept });
    expect(table.json).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1beta1',
      metadata: { resourceVersion: '100' },
      columnDefinitions: expect.any(Array),
      rows: [{ object: web }],
    });
    const none = await hub.ask(`${root}/captures?includeObject=None`, { accept });
    expect(none.text).not.toContain('"object"');
    const one = await hub.ask(`${root}/namespaces/shop/captures/web-0`, { accept });
    expect(one.json).toMatchObject({ kind: 'Table', columnDefinitions: expect.any(Array), rows: [{}] });
  });

  test('is metadata alone for who asks for it', async () => {
    await using hub = await startedHubApi({ captures: memoryCaptures([web]) });
    const meta = (kind: string) => `application/json;as=${kind};v=v1;g=meta.k8s.io`;
    const object = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: web.metadata };
    const all = await hub.ask(`${root}/captures`, { accept: meta('PartialObjectMetadataList') });
    expect(all.json).toEqual({
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { resourceVersion: '100' },
      items: [object],
    });
    const path = `${root}/namespaces/shop/captures/web-0`;
    expect((await hub.ask(path, { accept: meta('PartialObjectMetadata') })).json).toEqual(object);
  });

  test('names the Nodes of which it may lack captures', async () => {
    const captures = memoryCaptures([web]);
    captures.missingNodes.push('node-b');
    await using hub = await startedHubApi({ captures });
    const { status, headers } = await hub.ask(`${root}/captures`);
    expect(status).toBe(200);
    expect(headers.warning).toBe(
      '299 - "podcap: the list may lack captures: no answer from the agent of Node node-b"',
    );
  });

  test('leaves out what is older than its namespace, and says where that is not known', async () => {
    await using hub = await startedHubApi({
      captures: memoryCaptures([web, db]),
      namespaces: {
        visible: async (all) => await Promise.resolve({ captures: all.slice(1), unchecked: ['shop'] }),
      },
    });
    const { headers, json } = await hub.ask(`${root}/captures`);
    expect(v.parse(list, json).items).toHaveLength(1);
    expect(headers.warning).toMatch(/^299 - "podcap: captures may be older than their namespace.*shop"$/);
  });

  test('and a capture whose namespace could not be checked come with a warning', async () => {
    await using hub = await startedHubApi({
      captures: memoryCaptures([web]),
      namespaces: { visible: async (all) => await Promise.resolve({ captures: all, unchecked: ['shop'] }) },
    });
    for (const path of ['captures', 'captures/web-0']) {
      const { status, headers } = await hub.ask(`${root}/namespaces/shop/${path}`);
      expect(status).toBe(200);
      expect(headers.warning).toMatch(/captures may be older than their namespace.*shop"$/);
    }
  });

  test('that is long is compressed for who accepts that', async () => {
    await using hub = await startedHubApi({ captures: manyCaptures(1_000) });
    const plain = await hub.ask(`${root}/captures`);
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.bytes.length).toBeGreaterThan(400_000);
    expect(v.parse(list, plain.json).items).toHaveLength(1_000);
    const zipped = await hub.ask(`${root}/captures`, { headers: { 'accept-encoding': 'gzip' } });
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(zipped.bytes.length).toBeLessThan(plain.bytes.length / 5);
    expect(gunzipSync(zipped.bytes).equals(plain.bytes)).toBe(true);
  });

  test('that is short is not compressed, and says its length', async () => {
    await using hub = await startedHubApi({ captures: manyCaptures(10) });
    const { headers, bytes } = await hub.ask(`${root}/captures`, { headers: { 'accept-encoding': 'gzip' } });
    expect(headers['content-encoding']).toBeUndefined();
    expect(Number(headers['content-length'])).toBe(bytes.length);
  });

  test('that nobody reads holds up no other, and is cut at its deadline', async () => {
    await using hub = await startedHubApi({
      captures: manyCaptures(20_000),
      limits: { ...defaultCallLimits, deadlineMs: 1_000 },
    });
    const unread = await send(hub.api.port, `${root}/captures`);
    expect((await hub.ask(`${root}/namespaces/shop/captures/web-7`)).status).toBe(200);
    await until(() => hub.answered.find(({ action }) => action === 'list'), { what: 'the cut' });
    await expect(unread.toArray()).rejects.toThrow('aborted');
  });

  test.each([
    ['captures', 'application/vnd.kubernetes.protobuf', 406, 'NotAcceptable'],
    ['captures', 'application/yaml', 406, 'NotAcceptable'],
    ['namespaces/shop/captures/web-0', 'text/html', 406, 'NotAcceptable'],
    ['captures?includeObject=Everything', 'application/json', 400, 'BadRequest'],
    ['captures?fieldSelector=status.phase%3DEnded', 'application/json', 400, 'BadRequest'],
    ['captures?labelSelector=a%3E1', 'application/json', 400, 'BadRequest'],
    ['captures?x=1&x=2', 'application/json', 400, 'BadRequest'],
    ['namespaces/shop/captures/other', 'application/json', 404, 'NotFound'],
    ['namespaces/shop/captures/../web-0', 'application/json', 400, 'BadRequest'],
    ['namespaces/Shop/captures', 'application/json', 404, 'NotFound'],
  ])('%s as %s is refused with %i', async (path, accept, code, reason) => {
    await using hub = await startedHubApi({ captures: memoryCaptures([web]) });
    const { status, json, headers } = await hub.ask(`${root}/${path}`, { accept });
    expect(status).toBe(code);
    expect(headers['content-type']).toBe('application/json');
    expect(json).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason });
  });

  test.each([
    ['POST', `${root}/namespaces/shop/captures`, /annotate the Pod/],
    ['PUT', `${root}/namespaces/shop/captures/web-0`, /annotate the Pod/],
    ['PATCH', `${root}/namespaces/shop/captures/web-0`, /annotate the Pod/],
    ['DELETE', `${root}/namespaces/shop/captures`, /by name/],
    ['DELETE', `${root}/namespaces/shop/captures/web-0/log`, /only for GET/],
    ['POST', `${root}/namespaces/shop/captures/web-0/attach`, /only for GET/],
  ])('%s %s is not allowed', async (method, path, message) => {
    await using hub = await startedHubApi();
    const { status, json } = await hub.ask(path, { method, body: '{}' });
    expect(status).toBe(405);
    expect(json).toMatchObject({ reason: 'MethodNotAllowed', message: expect.stringMatching(message) });
  });
});

describe('incompleteWarning', () => {
  test('is short, however many Nodes there are', () => {
    const nodes = Array.from({ length: 1_000 }, (_, at) => `node-${at}`);
    expect(incompleteWarning(nodes, [])).toMatch(/Nodes node-0, .*, node-9 and 990 more"$/);
    expect(incompleteWarning([], [])).toBeUndefined();
  });

  test('is a header, whatever a Node is called', () => {
    expect(incompleteWarning(['a"b\\c\r\nx: y', 'ü'], [])).toBe(
      '299 - "podcap: the list may lack captures: no answer from the agent of Nodes a?b?c??x: y, ?"',
    );
  });
});

test.each([
  ['gzip', true],
  ['deflate, gzip;q=0.5, br', true],
  ['GZIP', true],
  ['gzip;q=1.0', true],
  ['gzip;q=0', false],
  ['gzip;q=0.000', false],
  ['identity', false],
  ['x-gzipped', false],
  [undefined, false],
])('Accept-Encoding %j accepts gzip: %s', (header, expected) => {
  expect(acceptsGzip(header)).toBe(expected);
});
