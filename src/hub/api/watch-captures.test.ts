import { describe, expect, test } from 'vitest';
import type { Capture } from '../../api/capture.ts';
import { until } from '../../base/until.ts';
import { WatchOverrun } from '../captures/pending-changes.ts';
import { memoryCaptures, testCapture, testRecording } from './testing/memory-captures.ts';
import { startedHubApi } from './testing/started-hub-api.ts';

const captures = '/apis/podcap.dev/v1alpha1/namespaces/shop/captures';
const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const bookmarks = 'allowWatchBookmarks=true';
const watchList = `watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&${bookmarks}`;

const first = testCapture({ version: '100' });
const second = testCapture({ name: 'db', version: '101', labels: { app: 'db' } });

function event(type: string, capture: Capture) {
  return { type, object: capture };
}

describe('a watch', () => {
  test('sends what is there, then what changes', async () => {
    await using hub = await startedHubApi({ captures: memoryCaptures([first]) });
    await using watch = await hub.watch(`${captures}?watch=true`);
    expect(watch.headers['content-type']).toBe('application/json;stream=watch');
    expect(await watch.next()).toEqual(event('ADDED', first));
    hub.captures.put(second);
    expect(await watch.next()).toEqual(event('ADDED', second));
    const changed = testCapture({ version: '102' });
    hub.captures.put(changed);
    expect(await watch.next()).toEqual(event('MODIFIED', changed));
    hub.captures.remove(second.metadata);
    expect(await watch.next()).toMatchObject({
      type: 'DELETED',
      object: { metadata: { name: 'db', resourceVersion: '102' } },
    });
    expect(hub.authorized).toMatchObject([{ verb: 'watch', namespace: 'shop', name: '' }]);
  });

  test('answers before there is anything to send', async () => {
    await using hub = await startedHubApi();
    await using watch = await hub.watch(`${captures}?watch=true`);
    expect(watch.status).toBe(200);
    hub.captures.put(first);
    expect(await watch.next()).toEqual(event('ADDED', first));
  });

  test('goes on from a list', async () => {
    await using hub = await startedHubApi();
    hub.captures.put(first);
    hub.captures.put(second);
    await using watch = await hub.watch(`${captures}?watch=true&resourceVersion=100`);
    expect(await watch.next()).toEqual(event('ADDED', second));
  });

  test('of one name, as kubectl get -w asks for it, sends that object', async () => {
    await using hub = await startedHubApi({ captures: memoryCaptures([first, second]) });
    await using watch = await hub.watch(
      `${captures}?fieldSelector=metadata.name%3Ddb&resourceVersion=0&watch=true`,
      { accept: `${table},application/json` },
    );
    expect(await watch.next()).toMatchObject({
      type: 'ADDED',
      object: { kind: 'Table', rows: [{ object: { metadata: { name: 'db' } } }] },
    });
    expect(hub.authorized).toMatchObject([{ verb: 'watch', namespace: 'shop', name: 'db' }]);
    hub.captures.put(testCapture({ version: '103' }));
    hub.captures.put(testCapture({ name: 'db', version: '104' }));
    expect(await watch.next()).toMatchObject({
      type: 'MODIFIED',
      object: { rows: [{ object: { metadata: { name: 'db' } } }] },
    });
  });

  test('has the columns of a Table only in its first event', async () => {
    await using hub = await startedHubApi({ captures: memoryCaptures([first, second]) });
    await using watch = await hub.watch(`${captures}?watch=true&includeObject=Object`, { accept: table });
    expect(await watch.next()).toMatchObject({
      object: { columnDefinitions: expect.any(Array), rows: [{ object: first }] },
    });
    const next = await watch.next();
    expect(next).toMatchObject({ object: { rows: [{ object: second }] } });
    expect(next).not.toHaveProperty('object.columnDefinitions');
  });

  test('has metadata alone for who asks for it', async () => {
    await using hub = await startedHubApi({ captures: memoryCaptures([first]) });
    await using watch = await hub.watch(`${captures}?watch=true`, {
      accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
    });
    expect(await watch.next()).toEqual({
      type: 'ADDED',
      object: {
        kind: 'PartialObjectMetadata',
        apiVersion: 'meta.k8s.io/v1',
        metadata: first.metadata,
      },
    });
  });

  test('marks the end of the initial events, and sends bookmarks', async () => {
    await using hub = await startedHubApi({ captures: memoryCaptures([first]) });
    await using watch = await hub.watch(`${captures}?${watchList}&resourceVersion=100`);
    expect(await watch.next()).toEqual(event('ADDED', first));
    expect(await watch.next()).toEqual({
      type: 'BOOKMARK',
      object: {
        kind: 'Capture',
        apiVersion: 'podcap.dev/v1alpha1',
        metadata: {
          resourceVersion: '100',
          creationTimestamp: null,
          annotations: { 'k8s.io/initial-events-end': 'true' },
        },
      },
    });
    hub.captures.bookmark('200');
    expect(await watch.next()).toEqual({
      type: 'BOOKMARK',
      object: {
        kind: 'Capture',
        apiVersion: 'podcap.dev/v1alpha1',
        metadata: { resourceVersion: '200', creationTimestamp: null },
      },
    });
  });

  test('marks the end of the initial events in a Table', async () => {
    await using hub = await startedHubApi();
    await using watch = await hub.watch(`${captures}?${watchList}`, { accept: table });
    expect(await watch.next()).toMatchObject({
      type: 'BOOKMARK',
      object: {
        kind: 'Table',
        columnDefinitions: expect.any(Array),
        rows: [{ object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } } }],
      },
    });
  });

  test('sends no bookmark that nobody asked for', async () => {
    await using hub = await startedHubApi({ captures: memoryCaptures([first]) });
    await using plain = await hub.watch(`${captures}?watch=true`);
    await using bookmarked = await hub.watch(`${captures}?watch=true&${bookmarks}`);
    await until(() => hub.captures.watches() === 2, { what: 'both watches' });
    hub.captures.bookmark('200');
    hub.captures.put(second);
    expect(await plain.next()).toEqual(event('ADDED', first));
    expect(await plain.next()).toEqual(event('ADDED', second));
    expect(await bookmarked.next()).toEqual(event('ADDED', first));
    expect(await bookmarked.next()).toMatchObject({ type: 'BOOKMARK' });
    expect(await bookmarked.next()).toEqual(event('ADDED', second));
  });

  test('follows a selector', async () => {
    await using hub = await startedHubApi({ captures: memoryCaptures([first, second]) });
    await using watch = await hub.watch(`${captures}?watch=true&labelSelector=app%3Dweb`);
    const web = testCapture({ version: '102', labels: { app: 'web' } });
    hub.captures.put(web);
    expect(await watch.next()).toEqual(event('ADDED', web));
    const changed = testCapture({ version: '103', labels: { app: 'other' } });
    hub.captures.put(changed);
    expect(await watch.next()).toEqual(event('DELETED', changed));
  });

  test('sends nothing that is older than its namespace', async () => {
    await using hub = await startedHubApi({
      captures: memoryCaptures([first, second]),
      namespaces: {
        visible: async (all) =>
          await Promise.resolve({
            captures: all.filter(({ metadata }) => metadata.name === 'db'),
            unchecked: [],
          }),
      },
    });
    await using watch = await hub.watch(`${captures}?watch=true`);
    expect(await watch.next()).toEqual(event('ADDED', second));
  });

  test('ends cleanly after timeoutSeconds', async () => {
    await using hub = await startedHubApi();
    await using watch = await hub.watch(`${captures}?watch=true&timeoutSeconds=1`);
    expect(await watch.next()).toBeUndefined();
    expect(await watch.isComplete()).toBe(true);
    await until(() => hub.captures.watches() === 0, { what: 'the end of the watch' });
  });

  test('is over when its client is gone', async () => {
    await using hub = await startedHubApi();
    {
      await using _watch = await hub.watch(`${captures}?watch=true`);
      await until(() => hub.captures.watches() === 1, { what: 'the watch' });
    }
    await until(() => hub.captures.watches() === 0, { what: 'the end of the watch' });
    await until(() => hub.answered.length === 1, { what: 'the report' });
    expect(hub.answered).toMatchObject([{ action: 'watch', code: 200 }]);
    expect(hub.logged).toEqual([]);
  });

  test('loses and repeats nothing of what comes all at once', async () => {
    const recordings = [testRecording({ message: 'x'.repeat(2_000) })];
    const all = Array.from({ length: 500 }, (_, at) =>
      testCapture({ name: `web-${at}`, version: `${at + 1}`, recordings }),
    );
    await using hub = await startedHubApi({ captures: memoryCaptures(all) });
    await using watch = await hub.watch(`${captures}?${watchList}`);
    for (const capture of all) expect(await watch.next()).toEqual(event('ADDED', capture));
    expect(await watch.next()).toMatchObject({ type: 'BOOKMARK' });
  });

  test('is refused where it is not allowed, or not possible', async () => {
    await using hub = await startedHubApi({
      forbid: () => ({ kind: 'error', code: 403, reason: 'Forbidden', message: 'you may not' }),
    });
    expect((await hub.ask(`${captures}?watch=true`)).status).toBe(403);
    await using open = await startedHubApi();
    expect((await open.ask(`${captures}?watch=true`, { accept: 'text/html' })).status).toBe(406);
    expect((await open.ask(`${captures}?watch=true&sendInitialEvents=true`)).status).toBe(422);
    expect(open.captures.watches()).toBe(0);
  });
});

test('a watch for which too many changes wait is cut, not ended', async () => {
  const known = memoryCaptures();
  const watch: typeof known.watch = async function* overrun() {
    yield await Promise.resolve([{ kind: 'added', capture: testCapture() }]);
    throw new WatchOverrun('too many');
  };
  await using hub = await startedHubApi({ captures: { ...known, watch } });
  await using opened = await hub.watch(`${captures}?watch=true`);
  expect(await opened.isComplete()).toBe(false);
  expect(hub.logged).toEqual([]);
});
