import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { kubernetesClient } from '../kubernetes/client.ts';
import type { Pod } from '../kubernetes/pod.ts';
import { type ApiServer, apiServer, list, refusal, statusObject } from '../kubernetes/testing/api-server.ts';
import { memoryLog } from '../kubernetes/testing/memory-logger.ts';
import type { CapturePolicy } from './planner/capture-policy.ts';
import { noPolicies, type PolicyChange, policiesAfter, requestFor } from './planner/policies.ts';
import { listPolicies, watchPolicies } from './policy-watch.ts';
import { podWith } from './testing/fixtures.ts';
import { policyObject } from './testing/policy-object.ts';

const limits = { maxFiles: 100, maxFileMegabytes: 100 };
/** What an API server without the CRD answers: no Status object. */
const notFound = { kind: 'json', status: 404, body: '404 page not found' } as const;
const withoutCrd = { kind: 'APIGroupList', groups: [{ name: 'apps' }] };
const forbidden = refusal(403, 'Forbidden');
const web = podWith({ labels: { app: 'web' } });

test('policies of all namespaces are listed and watched', async () => {
  await using server = await apiServer();
  server.script.policyList.push(list('5', [policyObject('a')]));
  await using following = follow(server);
  const watch = await server.nextPolicyWatch();
  watch.send({ type: 'ADDED', object: policyObject('b', {}, { namespace: 'other' }) });
  watch.send({ type: 'DELETED', object: policyObject('a') });
  await until(() => following.changes().length === 3, { what: 'the changes' });
  expect(following.changes()).toEqual(['listed a', 'applied b', 'deleted a']);
  expect(server.requests[0]).toMatchObject({
    path: '/apis/policy.podcap.dev/v1alpha1/capturepolicies',
    query: { resourceVersion: '0' },
  });
});

test('without the CRD there are no policies, which is logged once, and the CRD is noticed when it appears', async () => {
  await using server = await apiServer();
  server.objects.set('/apis', withoutCrd);
  server.script.policyList.push(notFound, notFound, notFound, list('5', [policyObject('a')]));
  await using following = follow(server);
  await server.nextPolicyWatch();
  await following.isWatching();
  expect(following.changes()).toEqual(['listed ', 'listed a']);
  expect(following.lines()).toEqual([
    'the CRD CapturePolicy is not installed: only annotations request captures',
    'CapturePolicies are watched now',
  ]);
});

test('a CRD that is deleted later means that there are no policies', async () => {
  await using server = await apiServer();
  server.script.policyList.push(list('5', [policyObject('a')]), notFound);
  await using following = follow(server);
  const watch = await server.nextPolicyWatch();
  server.objects.set('/apis', withoutCrd);
  server.script.policyWatch.push(notFound);
  watch.end();
  await until(() => following.changes().length === 2, { what: 'the conclusion' });
  expect(following.changes()).toEqual(['listed a', 'listed ']);
});

test.each<[what: string, groups: object, resources: object]>([
  ['the group has only other versions', groupWith('v1'), {}],
  ['the group has only other resources', groupWith('v1alpha1'), resources('captureclasses')],
])('there are no policies if %s', async (_what, groups, inGroup) => {
  await using server = await apiServer();
  server.objects.set('/apis', groups);
  server.objects.set('/apis/policy.podcap.dev/v1alpha1', inGroup);
  server.script.policyList.push(notFound, notFound, list('5', [policyObject('a')]));
  await using following = follow(server);
  await server.nextPolicyWatch();
  expect(following.changes()).toEqual(['listed ', 'listed a']);
});

test('there are no policies if the API server does not find the group', async () => {
  await using server = await apiServer();
  server.objects.set('/apis', groupWith('v1alpha1'));
  server.script.policyList.push(notFound, list('5', [policyObject('a')]));
  server.script.read.push({ kind: 'json', body: groupWith('v1alpha1') }, refusal(404, 'NotFound'));
  await using following = follow(server);
  await server.nextPolicyWatch();
  expect(following.changes()).toEqual(['listed ', 'listed a']);
});

const nothingShown: readonly [what: string, groups: object, resources: object][] = [
  ['the policies are served', groupWith('v1alpha1'), resources('capturepolicies')],
  ['the answers are not lists', {}, {}],
];

test.each(nothingShown)('three times 404 show nothing if %s', async (_what, groups, inGroup) => {
  await using server = await apiServer();
  server.objects.set('/apis', groups);
  server.objects.set('/apis/policy.podcap.dev/v1alpha1', inGroup);
  server.script.policyList.push(...times(3, notFound), list('5', [policyObject('a')]));
  await using following = follow(server);
  await server.nextPolicyWatch();
  expect(following.changes()).toEqual(['listed a']);
  expect(following.lines()).toEqual([]);
});

test.each(nothingShown)(
  '404 again and again counts as a refusal, once, if %s',
  async (_what, groups, inGroup) => {
    await using server = await apiServer();
    server.objects.set('/apis', groups);
    server.objects.set('/apis/policy.podcap.dev/v1alpha1', inGroup);
    server.script.policyList.push(...times(8, notFound), list('5', [policyObject('a')]));
    await using following = follow(server);
    await server.nextPolicyWatch();
    await following.isWatching();
    expect(following.changes()).toEqual(['forbidden', 'listed a']);
    expect(following.lines()).toEqual([
      'CapturePolicies are not found, although their CRD may be installed: only annotations request captures',
      'CapturePolicies are watched now',
    ]);
  },
);

test('an agent that may not list policies says so once, and tries again', async () => {
  await using server = await apiServer();
  server.script.policyList.push(...times(7, forbidden), list('5', []));
  await using following = follow(server);
  await server.nextPolicyWatch();
  await following.isWatching();
  expect(following.changes()).toEqual(['forbidden', 'listed ']);
  expect(following.lines().filter((line) => line !== 'watch interrupted')).toEqual([
    'not allowed to list and watch CapturePolicies: only annotations request captures; update the ClusterRole with the chart',
    'CapturePolicies are watched now',
  ]);
});

test('an agent that may list policies, and not watch them, says so once, and lists them again from time to time', async () => {
  await using server = await apiServer();
  server.script.policyList.push(...times(4, list('5', [policyObject('a')])));
  server.script.policyWatch.push(...times(6, forbidden));
  await using following = follow(server);
  await server.nextPolicyWatch();
  await following.isWatching();
  expect(following.changes()).toEqual(['listed a', 'forbidden', ...times(3, 'listed a')]);
  expect(following.lines().filter((line) => line !== 'watch interrupted')).toEqual([
    'not allowed to list and watch CapturePolicies: only annotations request captures; update the ClusterRole with the chart',
    'CapturePolicies are watched now',
  ]);
});

test('a few refusals are tried again from 1 s on, and the watch goes on from where it was', async () => {
  await using server = await apiServer();
  server.script.policyList.push(forbidden, list('5', [policyObject('a')]));
  await using following = follow(server, 60_000);
  const watch = await server.nextPolicyWatch();
  watch.send({ type: 'MODIFIED', object: policyObject('a', {}, { resourceVersion: '8' }) });
  await until(() => following.changes().length === 2, { what: 'the change' });
  server.script.policyWatch.push(forbidden, forbidden);
  watch.end();
  const next = await server.nextPolicyWatch();
  expect(next.query).toMatchObject({ resourceVersion: '8' });
  expect(following.changes()).toEqual(['listed a', 'applied a']);
  expect(following.lines()).toEqual(times(3, 'watch interrupted'));
});

test('refusals with answers between them are not in a row', async () => {
  await using server = await apiServer();
  server.script.policyList.push(list('5', []));
  await using following = follow(server);
  for (let i = 0; i < 3; i += 1) {
    const watch = await server.nextPolicyWatch();
    server.script.policyWatch.push(...times(3, forbidden));
    watch.end();
  }
  await server.nextPolicyWatch();
  expect(following.changes()).toEqual(['listed ']);
});

test('a policy whose selector cannot be read any more replaces its former version, is logged, and can be deleted', async () => {
  await using server = await apiServer();
  server.script.policyList.push(list('5', [policyObject('a'), policyObject('b', { selector: 'web' })]));
  await using following = follow(server);
  const watch = await server.nextPolicyWatch();
  const unreadable = policyObject('a', { selector: { matchLabels: { app: 'web' }, matchNames: ['web-0'] } });
  watch.send({ type: 'MODIFIED', object: unreadable });
  await until(() => following.changes().length === 2, { what: 'the change' });
  expect(following.requestOf(web)).toEqual({ kind: 'none' });
  watch.send({ type: 'DELETED', object: unreadable });
  await until(() => following.changes().length === 3, { what: 'the deletion' });
  expect(following.changes()).toEqual(['listed a,b', 'applied a', 'deleted a']);
  expect(following.lines()).toEqual(times(2, 'a CapturePolicy cannot be read: it selects no Pod'));
});

test('a policy that cannot be read is logged once, however often it is changed and listed, and again for another reason', async () => {
  await using server = await apiServer();
  const unreadable = (selector: unknown, version: number) =>
    policyObject('a', { selector }, { resourceVersion: `${version}` });
  server.script.policyList.push(list('5', [unreadable(1, 1)]), list('9', [unreadable(1, 1)]));
  await using following = follow(server);
  const watch = await server.nextPolicyWatch();
  for (const version of [6, 7, 8]) watch.send({ type: 'MODIFIED', object: unreadable(1, version) });
  watch.send({ type: 'ERROR', object: statusObject(410, 'Expired') });
  const next = await server.nextPolicyWatch();
  expect(following.lines().filter((line) => line.startsWith('a CapturePolicy'))).toHaveLength(1);
  next.send({ type: 'MODIFIED', object: unreadable({}, 10) });
  next.send({ type: 'DELETED', object: unreadable({}, 11) });
  next.send({ type: 'ADDED', object: unreadable({}, 12) });
  await until(() => following.changes().length === 8, { what: 'the changes' });
  expect(following.lines().filter((line) => line.startsWith('a CapturePolicy'))).toHaveLength(3);
});

test('a policy that is being deleted captures nothing', async () => {
  await using server = await apiServer();
  const metadata = { deletionTimestamp: '2026-05-01T00:00:00Z', finalizers: ['example.com/x'] };
  server.script.policyList.push(list('5', [policyObject('a', {}, metadata), policyObject('b')]));
  server.script.policyRead.push(list('5', [policyObject('a', {}, metadata)]));
  await using following = follow(server);
  const watch = await server.nextPolicyWatch();
  expect(following.requestOf(web)).toMatchObject({ kind: 'capture', spec: { policy: 'b' } });
  watch.send({ type: 'MODIFIED', object: policyObject('b', {}, metadata) });
  await until(() => following.changes().length === 2, { what: 'the change' });
  expect(following.requestOf(web)).toEqual({ kind: 'none' });
  const read = await listed(server);
  expect(read === 'forbidden' || requestIn(read)).toEqual({ kind: 'none' });
});

test('the policies of a namespace are read as they are now, page by page', async () => {
  await using server = await apiServer();
  server.script.policyRead.push(list('5', [policyObject('a')], 'next'), list('5', [policyObject('b')]));
  const read = await listed(server);
  expect(read === 'forbidden' || read.map(({ name }) => name)).toEqual(['a', 'b']);
  const path = '/apis/policy.podcap.dev/v1alpha1/namespaces/default/capturepolicies';
  expect(server.requests.map((request) => [request.path, request.query])).toEqual([
    [path, { limit: '25' }],
    [path, { limit: '25', continue: 'next' }],
  ]);
});

test('a namespace has no policies without the CRD', async () => {
  await using server = await apiServer();
  server.objects.set('/apis', withoutCrd);
  server.script.policyRead.push(notFound);
  expect(await listed(server)).toEqual([]);
});

test.each([
  ['its own request is refused as well', forbidden],
  ['a proxy does not find them', notFound],
] as const)(
  'an agent whose watch is refused may not list the policies of a namespace: %s',
  async (_what, answer) => {
    await using server = await apiServer();
    server.script.policyRead.push(answer);
    expect(await listed(server, { isForbidden: true })).toBe('forbidden');
  },
);

test.each([
  ['a 404 of a proxy', notFound],
  ['one request that is refused', forbidden],
  ['an error', refusal(500, 'InternalError')],
  ['an answer that is not a list', { kind: 'json', body: {} }],
] as const)('nothing is concluded from %s', async (_what, answer) => {
  await using server = await apiServer();
  server.script.policyRead.push(answer);
  await expect(listed(server)).rejects.toThrow('GET /apis/policy.podcap.dev');
});

async function listed(server: ApiServer, { isForbidden = false } = {}) {
  await using client = kubernetesClient(server.config);
  return await listPolicies('default', {
    client,
    limits,
    log: memoryLog(),
    signal: new AbortController().signal,
    isForbidden: () => isForbidden,
  });
}

function requestIn(items: readonly CapturePolicy[]) {
  const policies = policiesAfter(noPolicies, { kind: 'listed', items });
  return requestFor(web, { policies, limits, unixMs: 0 });
}

function groupWith(version: string): object {
  return {
    kind: 'APIGroupList',
    groups: [{ name: 'apps' }, { name: 'policy.podcap.dev', versions: [{ version }] }],
  };
}

function resources(name: string): object {
  return { kind: 'APIResourceList', resources: [{ name }] };
}

function times<T>(count: number, item: T): T[] {
  return Array.from({ length: count }, () => item);
}

/** Watches the policies until it is disposed of, and tries again at once unless told otherwise. */
function follow(server: ApiServer, retryMs = 1) {
  const client = kubernetesClient(server.config);
  const stop = new AbortController();
  const log = memoryLog();
  const changes: PolicyChange[] = [];
  async function read(): Promise<void> {
    for await (const change of watchPolicies({ client, limits, log, signal: stop.signal, retryMs }))
      changes.push(change);
  }
  const done = read();
  return {
    changes: () => changes.map(textOf),
    /** What the policies ask for the Pod after all changes so far. */
    requestOf: (pod: Pod) =>
      requestFor(pod, { policies: changes.reduce(policiesAfter, noPolicies), limits, unixMs: 0 }),
    lines: () => log.lines.map(({ message }) => message),
    /** Waits until the watch that was refused is open here as well. */
    isWatching: () =>
      until(() => log.lines.some(({ message }) => message === 'CapturePolicies are watched now'), {
        what: 'the watch',
      }),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
      await client[Symbol.asyncDispose]();
    },
  };
}

function textOf(change: PolicyChange): string {
  switch (change.kind) {
    case 'forbidden':
      return change.kind;
    case 'listed':
      return `listed ${change.items.map(({ name }) => name).join()}`;
    case 'applied':
    case 'deleted':
      return `${change.kind} ${change.object.name}`;
  }
}
