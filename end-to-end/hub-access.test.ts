import { describe, expect } from 'vitest';
import { addresses } from '../cluster/layout.ts';
import { until } from '../src/base/until.ts';
import { capturesPath } from './support/capture-requests.ts';
import { capturedPod } from './support/captured-pod.ts';
import { expectStatus } from './support/expect-status.ts';
import { readyHubs } from './support/hub-pods.ts';
import { test as hubTest } from './support/hub-test.ts';
import { captureFolder } from './support/node-captures.ts';
import { printFigures } from './support/print-figures.ts';
import { kubectl, kubectlBytes } from './support/run-kubectl.ts';
import { testCluster } from './support/test-cluster.ts';

/** Who may do what in the first of two namespaces, which both have a captured Pod `web`; nobody may in the second. */
const usersWithRoles = {
  viewer: ['podcap-view'],
  downloader: ['podcap-view', 'podcap-download'],
  tapper: ['podcap-view', 'podcap-tap'],
  nobody: [],
  'reader-of-all': [],
} as const;

type User = keyof typeof usersWithRoles;

const test = hubTest.extend('namespaces', { scope: 'file' }, async ({ cluster: own }, { onCleanup }) => {
  const other = await testCluster();
  onCleanup(() => other[Symbol.asyncDispose]());
  const [, hidden] = await Promise.all([capturedPod(own, 'web'), capturedPod(other, 'web')]);
  const namespace = own.namespace;
  await own.client.create({
    path: `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`,
    body: {
      metadata: { name: 'reader-of-all' },
      rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list', 'watch'] }],
    },
  });
  const bind = (user: string, of: string, what: string) =>
    kubectl('-n', namespace, 'create', 'rolebinding', `${user}-${what}`, `--${of}=${what}`, `--user=${user}`);
  await bind('reader-of-all', 'role', 'reader-of-all');
  for (const [user, roles] of Object.entries(usersWithRoles)) {
    for (const name of roles) await bind(user, 'clusterrole', name);
  }
  for (const each of [namespace, other.namespace]) await listed(each, 'web');
  return { own: namespace, other: other.namespace, hidden: hidden.uid };
});

async function listed(namespace: string, name: string): Promise<void> {
  await until(async () => (await kubectl('-n', namespace, 'get', 'captures', '-o', 'name')).includes(name), {
    what: `the capture of ${name} in the list`,
    everyMs: 200,
  });
}

const actions: Readonly<Record<string, (namespace: string) => readonly string[]>> = {
  get: (namespace) => ['get', 'capture', 'web', '-n', namespace],
  list: (namespace) => ['get', 'captures', '-n', namespace],
  watch: (namespace) => ['get', '--raw', `${capturesPath(namespace)}?watch=true&timeoutSeconds=1`],
  download: (namespace) => ['get', '--raw', `${capturesPath(namespace)}/web/log`],
  tap: (namespace) => ['get', '--raw', `${capturesPath(namespace)}/web/attach?duration=1s`],
  delete: (namespace) => ['delete', '--raw', `${capturesPath(namespace)}/web`],
};

/** What a user gets by kubectl: yes, or the words of the refusal. */
async function attempt(user: User, args: readonly string[]): Promise<string> {
  try {
    await kubectl(`--as=${user}`, ...args);
    return 'yes';
  } catch (error) {
    const words = String(error).match(/Error from server \(Forbidden\): (.*)/)?.[1];
    if (words === undefined) throw error;
    return words;
  }
}

async function allowedTo(user: User, namespace: string): Promise<string[]> {
  const tried = Object.entries(actions).map(async ([action, args]) =>
    (await attempt(user, args(namespace))) === 'yes' ? action : [],
  );
  return (await Promise.all(tried)).flat();
}

const mayRead = ['get', 'list', 'watch'];

test.for<[User, readonly string[]]>([
  ['viewer', mayRead],
  ['downloader', [...mayRead, 'download']],
  ['tapper', [...mayRead, 'tap']],
  ['nobody', []],
  ['reader-of-all', mayRead],
])(
  '%s gets in the own namespace %j, and nothing in another one',
  async ([user, expected], { namespaces }) => {
    const own = await allowedTo(user, namespaces.own);
    const other = await allowedTo(user, namespaces.other);
    const all = await attempt(user, ['get', 'captures', '-A']);
    printFigures(`what ${user} got`, { own, other, all: all === 'yes' });
    expect({ own, other }).toEqual({ own: expected, other: [] });
    expect(all).not.toBe('yes');
  },
);

test('whoever may see captures reads what is missing for more', async ({ namespaces: { own } }) => {
  const words = (verb: string) =>
    `you may see captures in ${own}, but not ${verb} them: verb ${verb} on captures.podcap.dev in namespace ${own}`;
  const path = `${capturesPath(own)}/web`;
  expect(await attempt('reader-of-all', ['get', '--raw', `${path}/log`])).toContain(words('download'));
  expect(await attempt('reader-of-all', ['get', '--raw', `${path}/attach`])).toContain(words('tap'));
});

test('the log of the hub says who read what, and who was refused', async ({ namespaces: { own } }) => {
  // No other stream of these tests has this parameter: its lines come to the log after it has ended.
  const since = '3599s';
  const log = `${capturesPath(own)}/web/log?since=${since}`;
  const { length: bytes } = await kubectlBytes(
    '--as=downloader',
    '--as-group=developers',
    'get',
    '--raw',
    log,
  );
  // The API server refuses others itself.
  await attempt('reader-of-all', ['get', '--raw', log]);
  const of = async (user: string, event: string) => {
    const parts = [`"user":"${user}"`, `"event":"${event}"`, `"parameters":{"since":"${since}"}`];
    const isMeant = (line: string) => parts.every((part) => line.includes(part));
    const what = `${event} of ${user}`;
    return await until(async () => (await auditLines()).findLast(isMeant), { what, everyMs: 200 });
  };
  expect(JSON.parse(await of('downloader', 'StreamEnded'))).toMatchObject({
    audit: true,
    groups: ['developers', 'system:authenticated'],
    from: addresses.host,
    verb: 'download',
    namespace: own,
    name: 'web',
    ending: 'Complete',
    bytes,
  });
  expect(JSON.parse(await of('reader-of-all', 'StreamRefused'))).toMatchObject({
    code: 403,
    verb: 'download',
    namespace: own,
  });
});

async function auditLines(): Promise<string[]> {
  const hubs = await readyHubs();
  const logs = hubs.map(({ name }) => kubectl('-n', 'kube-system', 'logs', name, '--since=2m'));
  return (await Promise.all(logs)).flatMap((text) =>
    text.split('\n').filter((line) => line.includes('"audit":true')),
  );
}

describe('whoever may read all of one namespace', () => {
  const paths: readonly ((own: string, other: string) => string)[] = [
    (own, other) => `${capturesPath(own)}/../../${other}/captures`,
    (own, other) => `${capturesPath(own)}/../../${other}/captures/web`,
    (own, other) => `${capturesPath(own)}/web/../../../${other}/captures/web/log`,
    (own, other) => `${capturesPath(own)}/..%2f..%2f${other}%2fcaptures`,
    (own, other) => `${capturesPath(own)}/%2e%2e/%2e%2e/${other}/captures`,
    (own, other) => `${capturesPath(own)}/%252e%252e/%252e%252e/${other}/captures`,
    (own, other) => `${capturesPath(own)}/web%2f..%2f..%2f..%2f${other}%2fcaptures%2fweb/log`,
    (own, other) => `${capturesPath(own)}/.././../${other}/./captures`,
    (own, other) => `${capturesPath(own)}\\..\\..\\${other}\\captures`,
    (own, other) => capturesPath(`${own}%00/../${other}`),
    (own, other) => capturesPath(`${own}/../${other}`),
    (own, other) => `${capturesPath(own)};/../../${other}/captures`,
    (own, other) => `${capturesPath(own)}//../${other}/captures`,
    (own, other) => `${capturesPath(own)}?namespace=${other}`,
    (own, other) => `${capturesPath(own)}?fieldSelector=metadata.namespace%3D${other}`,
    (own, other) =>
      `${capturesPath(own)}?watch=true&timeoutSeconds=1&fieldSelector=metadata.namespace%3D${other}`,
    (own) => `${capturesPath(own)}?continue=x&labelSelector=${encodeURIComponent('a in (b,c),!d')}`,
    (own, other) => `${capturesPath(own)}/web/log?namespace=${other}`,
    (own) => `${capturesPath(own)}/${'a'.repeat(300)}`,
    (own) => `${capturesPath(own)}/${'a/'.repeat(2_000)}`,
    () => capturesPath(),
    (_, other) => capturesPath(other),
    (_, other) => capturesPath(other.toUpperCase()),
  ];

  test('(an administrator sees the other one)', async ({ namespaces: { other, hidden } }) => {
    expect(await kubectl('get', '--raw', capturesPath(other))).toContain(hidden);
  });

  test.for(paths.map((path) => [path('own', 'other').slice(0, 120), path] as const))(
    'gets nothing of another one by %s',
    async ([, path], { namespaces: { own, other, hidden }, requests }) => {
      const headers = { 'impersonate-user': 'reader-of-all' };
      using answer = await requests.send(path(own, other), { headers });
      const text = (await answer.bytes()).toString('utf8');
      expect(text).not.toContain(hidden);
      expect(answer.status === 200 ? answer.contentType : 'refused').not.toContain('pcap');
    },
  );
});

test('a namespace that is created again inherits nothing, though the files are still there', async ({
  requests,
}) => {
  await using doomed = await testCluster();
  const { namespace, client } = doomed;
  const pod = await capturedPod(doomed, 'web');
  await listed(namespace, 'web');
  const log = `${capturesPath(namespace)}/web/log`;
  {
    using answer = await requests.send(log);
    expect(answer.status).toBe(200);
  }
  await kubectl('delete', 'namespace', namespace, '--wait=true', '--timeout=90s');
  expect(await captureFolder(pod)).toBeDefined();
  await expectStatus(await requests.send(log), {
    code: 404,
    reason: 'NotFound',
    message: `namespace ${namespace} does not exist`,
  });
  await client.create({ path: '/api/v1/namespaces', body: { metadata: { name: namespace } } });
  for (const path of [log, `${log}?uid=${pod.uid}`]) {
    await expectStatus(await requests.send(path), {
      code: 404,
      reason: 'NotFound',
      message: expect.stringContaining('nothing is recorded of Pod web'),
    });
  }
  await until(async () => !(await kubectl('get', 'captures', '-A')).includes(namespace), {
    what: 'lists without the captures of the earlier namespace',
    deadlineMs: 45_000,
    everyMs: 500,
  });
  expect(await captureFolder(pod)).toBeDefined();
});
