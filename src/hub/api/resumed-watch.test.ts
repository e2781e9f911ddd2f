import { describe, expect, test } from 'vitest';
import type { NamespaceAge } from '../access/served-capture.ts';
import { memoryCaptures, testCapture, uncertainVersion } from './testing/memory-captures.ts';
import { startedHubApi } from './testing/started-hub-api.ts';

const captures = '/apis/podcap.dev/v1alpha1/namespaces/shop/captures';
const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';

describe('a watch', () => {
  test('that would go on from a list of which deletions may be forgotten has to list again', async () => {
    await using hub = await startedHubApi();
    const answer = await hub.ask(`${captures}?watch=true&resourceVersion=99`);
    expect([answer.status, answer.json]).toMatchObject([410, { kind: 'Status', reason: 'Expired' }]);
  });

  test('from another replica, which may have had what this one cannot know to be gone, has to list again', async () => {
    await using hub = await startedHubApi();
    const path = `${captures}?watch=true&resourceVersion=${uncertainVersion}`;
    for (const agent of ['controller/v1 (linux/amd64)', 'kubectl-podcap']) {
      const answer = await hub.ask(path, { headers: { 'user-agent': agent } });
      expect([answer.status, answer.json]).toMatchObject([410, { kind: 'Status', reason: 'Expired' }]);
    }
    expect((await hub.ask(`${path}&timeoutSeconds=1`, { accept: table })).status).toBe(200);
    const headers = { 'user-agent': 'kubectl/v1.35.0 (linux/amd64) kubernetes/66452049' };
    expect((await hub.ask(`${path}&timeoutSeconds=1`, { headers })).status).toBe(200);
    // An informer in kubectl, or behind kubectl proxy.
    expect((await hub.ask(`${path}&allowWatchBookmarks=true`, { headers })).status).toBe(410);
  });

  test('from before the namespace existed has to list again', async () => {
    await using hub = await startedHubApi({
      namespaces: { ageOf: async () => await Promise.resolve({ kind: 'created', atMs: 150 }) },
    });
    expect((await hub.ask(`${captures}?watch=true&resourceVersion=149`)).status).toBe(410);
    const path = 'watch=true&timeoutSeconds=1&resourceVersion';
    expect((await hub.ask(`${captures}?${path}=150`)).status).toBe(200);
    expect((await hub.ask(`${captures}?${path}=149`, { accept: table })).status).toBe(200);
    expect((await hub.ask(`/apis/podcap.dev/v1alpha1/captures?${path}=149`)).status).toBe(200);
  });

  test.for<readonly [string, NamespaceAge, boolean]>([
    ['is gone', { kind: 'missing' }, true],
    ['was another one when it began', { kind: 'created', atMs: 0 }, true],
    ['is younger than the capture', { kind: 'created', atMs: Date.parse('2027-01-01T00:00:00Z') }, false],
    ['could not be checked', { kind: 'unknown' }, false],
  ])('that goes on where the namespace %s names what it hides: %j', async ([, age, isNamed]) => {
    await using hub = await startedHubApi({
      captures: memoryCaptures([testCapture()]),
      namespaces: {
        visible: async (all) =>
          await Promise.resolve({
            captures: all.filter(({ metadata }) => metadata.name === 'db'),
            unchecked: [],
          }),
        ageOf: async () => await Promise.resolve(age),
      },
    });
    const now = `${Date.parse('2027-01-01T00:00:00Z')}`;
    await using watch = await hub.watch(`${captures}?watch=true&resourceVersion=${now}`);
    hub.captures.put(testCapture({ version: `${now}1` }));
    hub.captures.put(testCapture({ name: 'db', version: `${now}2` }));
    const gone = { type: 'DELETED', object: { metadata: { name: 'web-0' }, status: { recordings: [] } } };
    const added = { type: 'ADDED', object: { metadata: { name: 'db' } } };
    for (const expected of isNamed ? [gone, added] : [added]) {
      expect(await watch.next()).toMatchObject(expected);
    }
  });
});
