import { expect, test } from 'vitest';
import { resolveTargets } from './resolve-targets.ts';
import type { Targets } from './targets.ts';
import { answerStatus, apiScene } from './testing/api-scene.ts';
import { serveShop, shopPod, shopWorkload } from './testing/shop-server.ts';

const { signal } = new AbortController();
const web = { matchLabels: { app: 'web' } };
const pods = [
  shopPod({ name: 'web-2-b', labels: { app: 'web' }, controller: 'web-2' }),
  shopPod({ name: 'web-2-a', labels: { app: 'web' }, controller: 'web-2' }),
  shopPod({ name: 'web-1-a', labels: { app: 'web' }, controller: 'web-1' }),
  // With the same labels, and of others.
  shopPod({ name: 'lookalike', labels: { app: 'web' } }),
  shopPod({ name: 'stranger-a', labels: { app: 'web' }, controller: 'stranger' }),
  shopPod({ name: 'orphan-a', labels: { app: 'web' }, controller: 'gone' }),
];
const objects = {
  'deployments/web': shopWorkload('web', web),
  'replicasets/web-1': shopWorkload('web-1', web, 'web'),
  'replicasets/web-2': shopWorkload('web-2', web, 'web'),
  'replicasets/stranger': shopWorkload('stranger', web, 'another'),
  'statefulsets/stranger': shopWorkload('stranger', web),
  'jobs/idle': shopWorkload('idle', web),
  'pods/web-2-a': pods[1] ?? {},
  'pods/on-host': shopPod({ name: 'on-host' }),
};

async function namesOf(targets: Targets): Promise<string[]> {
  await using scene = await apiScene(serveShop(objects, pods));
  return (await resolveTargets(scene.cluster, targets, signal)).map(({ name }) => name);
}

test.each<[targets: Targets, names: readonly string[]]>([
  [{ kind: 'pods', names: ['on-host', 'web-2-a'] }, ['on-host', 'web-2-a']],
  [{ kind: 'workload', type: 'deployment', name: 'web' }, ['web-1-a', 'web-2-a', 'web-2-b']],
  [{ kind: 'workload', type: 'replicaset', name: 'web-2' }, ['web-2-a', 'web-2-b']],
  [{ kind: 'workload', type: 'statefulset', name: 'stranger' }, ['stranger-a']],
  [
    { kind: 'selector', selector: 'app=web' },
    ['lookalike', 'orphan-a', 'stranger-a', 'web-1-a', 'web-2-a', 'web-2-b'],
  ],
])('%j are %j', async (targets, names) => {
  expect(await namesOf(targets)).toEqual(names);
});

test('a Pod has what a command needs of it', async () => {
  await using scene = await apiScene(serveShop(objects, pods));
  expect(await resolveTargets(scene.cluster, { kind: 'pods', names: ['on-host'] }, signal)).toMatchObject([
    {
      namespace: 'shop',
      name: 'on-host',
      uid: 'uid-of-on-host',
      node: 'node1',
      phase: 'Running',
      isHostNetwork: true,
      isBeingDeleted: false,
      annotations: {},
      labels: {},
    },
  ]);
});

test.each<[targets: Targets, message: string]>([
  [
    { kind: 'pods', names: ['web-2-a', 'x', 'y'] },
    'there are no Pods x, y in namespace shop: kubectl get pods -n shop lists those that there are',
  ],
  [
    { kind: 'pods', names: ['deploy', 'web'] },
    'there are no Pods deploy, web in namespace shop: kubectl get pods -n shop lists those that there are; write TYPE/NAME as one word, such as deploy/web',
  ],
  [{ kind: 'workload', type: 'deployment', name: 'x' }, 'deployments "x" not found'],
  [{ kind: 'workload', type: 'job', name: 'idle' }, 'job/idle in namespace shop has no Pods now'],
])('%j: %s', async (targets, message) => {
  await expect(namesOf(targets)).rejects.toMatchObject({ message, exitCode: 1 });
});

test('a selector that selects nothing says so', async () => {
  await using scene = await apiScene(serveShop({}, []));
  const targets = { kind: 'selector', selector: 'app=x' } as const;
  await expect(resolveTargets(scene.cluster, targets, signal)).rejects.toThrow(
    'no Pod in namespace shop has labels that app=x selects',
  );
});

test('the selector of a workload is sent as a query, and each ReplicaSet is read once', async () => {
  const selector = {
    matchLabels: { app: 'web' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['a', 'b'] },
      { key: 'x', operator: 'NotIn', values: ['c'] },
      { key: 'y', operator: 'Exists' },
      { key: 'z', operator: 'DoesNotExist' },
    ],
  };
  const named = { ...objects, 'deployments/web': shopWorkload('web', selector) };
  await using scene = await apiScene(serveShop(named, pods));
  await resolveTargets(scene.cluster, { kind: 'workload', type: 'deployment', name: 'web' }, signal);
  const lists = scene.requests.filter(({ path }) => path.endsWith('/pods'));
  expect(lists.map(({ query }) => query['labelSelector'])).toEqual(
    Array(3).fill('app=web,tier in (a,b),x notin (c),y,!z'),
  );
  const read = scene.requests.filter(({ path }) => path.includes('/replicasets/')).map(({ path }) => path);
  expect(read.toSorted()).toEqual(
    ['gone', 'stranger', 'web-1', 'web-2'].map((name) => `/apis/apps/v1/namespaces/shop/replicasets/${name}`),
  );
});

test('a user who may not read Pods is told so in the words of the API server', async () => {
  const message = 'pods is forbidden: User "jane" cannot list resource "pods"';
  await using scene = await apiScene((_, response) => answerStatus(response, 403, 'Forbidden', message));
  const targets = { kind: 'selector', selector: 'app=web' } as const;
  await expect(resolveTargets(scene.cluster, targets, signal)).rejects.toMatchObject({
    message,
    exitCode: 1,
  });
});

test('what is looked for in a namespace that does not exist: that is said, if the user may know', async () => {
  let isAllowed = true;
  await using scene = await apiScene(({ path }, response) => {
    if (path !== '/api/v1/namespaces/shop') answerStatus(response, 404, 'NotFound', 'pods "web" not found');
    else if (isAllowed) answerStatus(response, 404, 'NotFound', 'namespaces "shop" not found');
    else answerStatus(response, 403, 'Forbidden', 'namespaces "shop" is forbidden');
  });
  const resolving = () =>
    resolveTargets(scene.cluster, { kind: 'pods', names: ['web'] }, AbortSignal.timeout(10_000));
  await expect(resolving()).rejects.toThrow(/^namespace shop does not exist$/);
  isAllowed = false;
  await expect(resolving()).rejects.toThrow('there is no Pod web in namespace shop');
});
