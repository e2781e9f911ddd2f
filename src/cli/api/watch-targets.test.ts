import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import type { Targets } from './targets.ts';
import { type ApiScene, type ApiSceneRequest, apiScene } from './testing/api-scene.ts';
import { type ShopPod, serveShop, shopPod, shopWorkload } from './testing/shop-server.ts';
import { watchTargets } from './watch-targets.ts';

const { signal } = new AbortController();
const web = { matchLabels: { app: 'web' } };

/** The changes of targets; each event is sent on the first watch. Ends after the Pod `last`. */
async function changesOf(
  targets: Targets,
  pods: readonly ShopPod[],
  events: readonly (readonly [string, ShopPod])[],
) {
  const objects = {
    'deployments/web': shopWorkload('web', web),
    'replicasets/web-1': shopWorkload('web-1', web, 'web'),
    'replicasets/web-2': shopWorkload('web-2', web, 'web'),
  };
  const serve = serveShop(objects, pods.map(shopPod));
  await using scene = await apiScene((request, response) => {
    if (isWatch(request)) sendEvents(response, events);
    else serve(request, response);
  });
  return { changes: await untilLast(scene, targets), query: scene.requests.find(isWatch)?.query };
}

function isWatch({ query }: ApiSceneRequest): boolean {
  return query['watch'] === 'true';
}

function sendEvents(response: ServerResponse, events: readonly (readonly [string, ShopPod])[]): void {
  response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
  for (const [type, pod] of events) response.write(`${JSON.stringify({ type, object: shopPod(pod) })}\n`);
}

async function untilLast({ cluster }: ApiScene, targets: Targets): Promise<string[]> {
  const changes: string[] = [];
  for await (const { kind, pod } of watchTargets(cluster, targets, signal)) {
    if (pod.name === 'last') break;
    changes.push(`${kind} ${pod.name}`);
  }
  return changes;
}

test('the Pods of a Deployment are followed over its ReplicaSets', async () => {
  const last = { name: 'last', controller: 'web-2' };
  const { changes, query } = await changesOf(
    { kind: 'workload', type: 'deployment', name: 'web' },
    [{ name: 'web-1-a', controller: 'web-1' }, { name: 'lookalike' }],
    [
      ['ADDED', { name: 'web-2-a', controller: 'web-2' }],
      ['ADDED', { name: 'stranger-a', controller: 'stranger' }],
      ['DELETED', { name: 'web-1-a', controller: 'web-1' }],
      ['DELETED', { name: 'lookalike' }],
      // It was released by its ReplicaSet.
      ['MODIFIED', { name: 'web-2-a' }],
      ['ADDED', last],
    ],
  );
  expect(changes).toEqual(['set web-1-a', 'set web-2-a', 'deleted web-1-a', 'deleted web-2-a']);
  expect(query).toMatchObject({ labelSelector: 'app=web' });
});

test('of several named Pods, those that there are come first, and others when they are created', async () => {
  const { changes, query } = await changesOf(
    { kind: 'pods', names: ['a', 'b', 'last'] },
    [{ name: 'a' }, { name: 'other' }],
    [
      ['ADDED', { name: 'b' }],
      ['ADDED', { name: 'another' }],
      ['ADDED', { name: 'last' }],
    ],
  );
  expect(changes).toEqual(['set a', 'set b']);
  expect(query).not.toHaveProperty('fieldSelector');
});

test('one named Pod is all that is asked for', async () => {
  const { query } = await changesOf({ kind: 'pods', names: ['last'] }, [], [['ADDED', { name: 'last' }]]);
  expect(query).toMatchObject({ fieldSelector: 'metadata.name=last' });
});

test('a selector is the selector of the watch', async () => {
  const { changes, query } = await changesOf(
    { kind: 'selector', selector: 'app=web' },
    [{ name: 'a' }],
    [
      ['DELETED', { name: 'a' }],
      ['ADDED', { name: 'last' }],
    ],
  );
  expect(changes).toEqual(['set a', 'deleted a']);
  expect(query).toMatchObject({ labelSelector: 'app=web' });
});
