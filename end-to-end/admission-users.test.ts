import { writeFile } from 'node:fs/promises';
import * as v from 'valibot';
import { describe, expect } from 'vitest';
import { captureAnnotation } from '../src/agent/planner/annotations.ts';
import { until } from '../src/base/until.ts';
import {
  dryRun,
  installPolicies,
  refusalOf,
  serviceAccount,
  type TestServiceAccount,
  waitForPolicy,
} from './support/admission-policies.ts';
import { namespacePolicies, policiesPath, policyManifest } from './support/capture-policies.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { range } from './support/consecutive.ts';
import { idle } from './support/pod-manifests.ts';
import { kubectl } from './support/run-kubectl.ts';
import { staticPod } from './support/static-pod.ts';
import {
  binding,
  captured,
  controllerRevision,
  cronJob,
  job,
  replicationController,
  unscheduled,
  workload,
} from './support/workload-manifests.ts';

/** Two of the controllers that create Pods and Jobs from a template. */
const controllers = [
  'system:serviceaccount:kube-system:cronjob-controller',
  'system:kube-controller-manager',
];
const [core, apps, batch] = ['/api/v1', '/apis/apps/v1', '/apis/batch/v1'];

/** What the role edit does not allow: without these rights RBAC would refuse a request, and the test prove nothing. */
const beyondEdit = [
  'pods/status',
  'pods/binding',
  'bindings',
  'pods/ephemeralcontainers',
  'pods/resize',
  'deployments.apps/status',
  'controllerrevisions.apps',
  'capturepolicies.policy.podcap.dev',
];

/** Two users who may do everything with Pods and workloads; only `allowed` may create captures as well. */
const test = clusterTest.extend(
  'users',
  { scope: 'file', auto: true },
  async ({ cluster }, { onCleanup }) => {
    const stack = new AsyncDisposableStack();
    onCleanup(() => stack.disposeAsync());
    stack.use(await installPolicies(cluster, 'allowedUsers'));
    const { namespace } = cluster;
    const subjects = controllers.map((user) => `--user=${user}`);
    await kubectl('-n', namespace, 'create', 'rolebinding', 'controllers', '--clusterrole=edit', ...subjects);
    const extraRole = `${namespace}-beyond-edit`;
    await kubectl('create', 'clusterrole', extraRole, '--verb=*', `--resource=${beyondEdit.join(',')}`);
    stack.defer(async () => void (await kubectl('delete', 'clusterrole', extraRole)));
    const roles = ['edit', extraRole];
    const denied = stack.use(await serviceAccount(cluster, 'denied', roles));
    const captureRole = `${namespace}-podcap-capture`;
    const allowed = stack.use(await serviceAccount(cluster, 'allowed', [...roles, captureRole]));

    await cluster.create(idle({ name: 'plain', ...unscheduled }));
    const deployment = workload({ name: 'plain', more: { replicas: 0 }, annotations: {} });
    await create(cluster, apps, 'deployments', deployment, {});
    const filter = { 'podcap.dev/filter': 'tcp' };
    await cluster.create(idle({ name: 'recorded', annotation: '2', annotations: filter, ...unscheduled }));
    await namespacePolicies(cluster).create('stored', 'nobody', { paused: true });
    await waitForPolicy(() => patchPod(denied, 'plain', { annotations: captured }));
    await waitForPolicy(() => createPolicy(denied));
    return { allowed, denied };
  },
);

/** Every way to set, change or remove an annotation of a Pod. */
const ways: Readonly<Record<string, (account: TestServiceAccount) => Promise<unknown>>> = {
  'a new Pod': (account) => create(account, core, 'pods', idle({ name: 'new', annotation: '1' })),
  'an existing Pod': (account) => patchPod(account, 'plain', { annotations: captured }),
  "a Pod's status": (account) => patchPod(account, 'plain/status', { annotations: captured }),
  "a Pod's binding": (account) => create(account, core, 'pods/plain/binding', binding('plain')),
  'the legacy resource bindings': (account) => create(account, core, 'bindings', binding('plain')),
  'a changed number of files': (account) =>
    patchPod(account, 'recorded', { annotations: { [captureAnnotation]: '3' } }),
  'a changed filter': (account) =>
    patchPod(account, 'recorded', { annotations: { 'podcap.dev/filter': 'udp' } }),
  'the removal of the filter': (account) =>
    patchPod(account, 'recorded', { annotations: { 'podcap.dev/filter': null } }),
  'the removal of the annotation': (account) =>
    patchPod(account, 'recorded', { annotations: { [captureAnnotation]: null } }),
  'a Deployment': (account) => create(account, apps, 'deployments', workload()),
  'a ReplicaSet': (account) => create(account, apps, 'replicasets', workload()),
  'a StatefulSet': (account) =>
    create(account, apps, 'statefulsets', workload({ more: { serviceName: 'web' } })),
  'a DaemonSet': (account) => create(account, apps, 'daemonsets', workload()),
  'a ReplicationController': (account) =>
    create(account, core, 'replicationcontrollers', replicationController('web')),
  'a Job': (account) => create(account, batch, 'jobs', job('web')),
  'a CronJob': (account) => create(account, batch, 'cronjobs', cronJob('web')),
  'a revision of a StatefulSet': (account) =>
    create(account, apps, 'controllerrevisions', controllerRevision('web')),
  'a template that had no annotation': (account) => patchTemplate(account, 'deployments/plain'),
};

describe.each(Object.entries(ways))('through %s', (_way, annotate) => {
  test('only users who may create captures can set, change or remove annotations', async ({ users }) => {
    const { allowed, denied } = users;
    expect(await refusalOf(annotate(allowed))).toBeUndefined();
    const refusal = await refusalOf(annotate(denied));
    expect(refusal).toMatchObject({ status: 403, reason: 'Forbidden' });
    expect(refusal?.message).toContain(
      `${denied.name} may not set, change or remove Podcap annotations in the namespace ${denied.namespace}: ` +
        'that requires the permission to create captures.podcap.dev there',
    );
  });
});

test.for<[what: string, request: (account: TestServiceAccount) => Promise<unknown>]>([
  ['created', createPolicy],
  ['changed', (account) => patchPolicy(account, { spec: { files: 9 } })],
  ['resumed', (account) => patchPolicy(account, { spec: { paused: false } })],
  ['widened', (account) => patchPolicy(account, { spec: { selector: { matchLabels: { app: null } } } })],
])('a CapturePolicy is %s only by users who may create captures', async ([, request], { users }) => {
  const { allowed, denied } = users;
  expect(await refusalOf(request(allowed))).toBeUndefined();
  const refusal = await refusalOf(request(denied));
  expect(refusal).toMatchObject({ status: 403, reason: 'Forbidden' });
  expect(refusal?.message).toContain(
    `${denied.name} may not create or change CapturePolicies in the namespace ${denied.namespace}: ` +
      'that requires the permission to create captures.podcap.dev there',
  );
});

test('users who may not create captures can label a CapturePolicy and delete it', async ({ users }) => {
  const { kubeconfig, namespace } = users.denied;
  const label = patchPolicy(users.denied, { metadata: { labels: { team: 'web' } } });
  expect(await refusalOf(label)).toBeUndefined();
  const as = ['--kubeconfig', kubeconfig, '-n', namespace];
  const deleted = await kubectl(...as, 'delete', '--dry-run=server', 'capturepolicy', 'stored');
  expect(deleted).toContain('deleted');
});

test('the same holds for kubectl annotate and a server-side apply', async ({ users }) => {
  const { allowed, denied } = users;
  const manifest = idle({ name: 'applied', annotation: '1', ...unscheduled });
  const file = `${denied.kubeconfig}.pod.json`;
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'Pod', ...manifest }));
  const as = ({ kubeconfig, namespace }: TestServiceAccount, ...args: readonly string[]) =>
    kubectl('--kubeconfig', kubeconfig, '-n', namespace, ...args);
  for (const command of [
    ['annotate', '--dry-run=server', 'pod', 'plain', `${captureAnnotation}=1`],
    ['apply', '--server-side', '--dry-run=server', '-f', file],
  ]) {
    await as(allowed, ...command);
    await expect(as(denied, ...command)).rejects.toThrow('may not set, change or remove Podcap annotations');
  }
});

test('an unknown annotation, which ends a capture, requires the permission too', async ({ users }) => {
  const { allowed, denied } = users;
  for (const key of ['podcap.dev/filters', 'Podcap.dev/filter']) {
    const change = { annotations: { [key]: 'x' } };
    expect(await refusalOf(patchPod(allowed, 'recorded', change))).toBeUndefined();
    expect(await refusalOf(patchPod(denied, 'recorded', change))).toMatchObject({ status: 403 });
  }
});

test('of a Pod with more annotations than the policy searches, every change requires the permission', async ({
  cluster,
  users: { denied },
}) => {
  const many = Object.fromEntries(range(0, 46_000).map((i) => [i.toString(36), '']));
  await cluster.create(idle({ name: 'many', annotation: '1', annotations: many, ...unscheduled }));
  expect(await refusalOf(patchPod(denied, 'many', { annotations: { other: 'x' } }))).toMatchObject({
    status: 403,
  });
  expect(await refusalOf(patchPod(denied, 'many', { labels: { team: 'web' } }))).toBeUndefined();
});

test('users who may not create captures can make changes that leave the annotations as they are', async ({
  users: { denied },
}) => {
  for (const name of ['plain', 'recorded']) {
    expect(await refusalOf(patchPod(denied, name, { labels: { team: 'web' } }))).toBeUndefined();
    expect(await refusalOf(patchPod(denied, name, { annotations: { other: 'x' } }))).toBeUndefined();
  }
  const plain = idle({ name: 'new', ...unscheduled });
  expect(await refusalOf(create(denied, core, 'pods', plain))).toBeUndefined();
  expect(await refusalOf(create(denied, apps, 'deployments', workload({ annotations: {} })))).toBeUndefined();
  await denied.client.patch({
    path: pathOf(denied, core, 'pods/recorded'),
    body: { metadata: { labels: { team: 'web' } } },
  });
});

test('no annotation can be set through ephemeralcontainers, resize and the status of a Deployment', async ({
  users: { denied },
}) => {
  for (const subresource of ['ephemeralcontainers', 'resize']) {
    const patched = await patchPod(denied, `plain/${subresource}`, { annotations: captured });
    expect(v.parse(annotatedSchema, patched).metadata.annotations ?? {}).not.toHaveProperty(
      captureAnnotation,
    );
  }
  const patched = await patchTemplate(denied, 'deployments/plain/status');
  const { template } = v.parse(templateSchema, patched).spec;
  expect(template.metadata.annotations ?? {}).not.toHaveProperty(captureAnnotation);
});

test('the controllers create the Pods of a template whose author may create captures', async ({
  cluster,
  users: { allowed },
}) => {
  const named = (resource: string, more: object = {}) => workload({ name: `by-${resource}`, more });
  for (const resource of ['deployments', 'replicasets', 'daemonsets'])
    await create(allowed, apps, resource, named(resource), {});
  await create(allowed, apps, 'statefulsets', named('statefulsets', { serviceName: 'web' }), {});
  const controller = replicationController('by-replicationcontrollers');
  await create(allowed, core, 'replicationcontrollers', controller, {});
  await create(allowed, batch, 'jobs', job('by-jobs'), {});
  const owners = [
    'deployments',
    'replicasets',
    'daemonsets',
    'statefulsets',
    'replicationcontrollers',
    'jobs',
  ];
  const hasPods = (pods: readonly string[]) => (owner: string) =>
    pods.some((name) => name.startsWith(`by-${owner}-`));
  const pods = await until(
    async () => {
      const found = await annotatedPods(cluster);
      return owners.every(hasPods(found)) && found;
    },
    { what: `Pods of ${owners.join(', ')}`, deadlineMs: 30_000 },
  );
  expect(owners.filter(hasPods(pods))).toEqual(owners);
});

// A CronJob waits up to a minute for its time, and on this cluster each controller has its own account: an
// administrator impersonates the others.
test.for(controllers)(
  '%s can create the Job of a CronJob, and cannot annotate a Pod',
  async (user, { users: { allowed } }) => {
    const file = `${allowed.kubeconfig}.job.json`;
    await writeFile(file, JSON.stringify({ apiVersion: 'batch/v1', kind: 'Job', ...job('of-cronjob') }));
    const asUser = (...args: readonly string[]) => kubectl('--as', user, '-n', allowed.namespace, ...args);
    await expect(asUser('create', '--dry-run=server', '-f', file)).resolves.toContain('created');
    const annotate = ['annotate', '--dry-run=server', 'pod', 'plain', `${captureAnnotation}=1`];
    await expect(asUser(...annotate)).rejects.toThrow(
      `${user} may not set, change or remove Podcap annotations`,
    );
  },
);

test('a Node can create the mirror Pod of an annotated static Pod', async ({ cluster }) => {
  await using manifest = await staticPod(idle({ name: 'still', annotation: '1' }), {
    namespace: cluster.namespace,
    node: 'node1',
  });
  await cluster.running(manifest.name);
  expect(await annotatedPods(cluster)).toContain(manifest.name);
});

const annotatedSchema = v.object({
  metadata: v.object({
    name: v.optional(v.string(), ''),
    annotations: v.optional(v.record(v.string(), v.string())),
  }),
});
const templateSchema = v.object({ spec: v.object({ template: annotatedSchema }) });

/** Who makes a request, and in which namespace. */
type Requester = Pick<TestServiceAccount, 'client' | 'namespace'>;

async function annotatedPods(requester: Requester): Promise<string[]> {
  const list = await requester.client.get({ path: pathOf(requester, core, 'pods') });
  return v
    .parse(v.object({ items: v.array(annotatedSchema) }), list)
    .items.flatMap(({ metadata: { name, annotations } }) => (annotations?.[captureAnnotation] ? [name] : []));
}

function pathOf({ namespace }: Requester, group: string, rest: string): string {
  return `${group}/namespaces/${namespace}/${rest}`;
}

type Query = Readonly<Record<string, string>>;

async function create(
  requester: Requester,
  group: string,
  resource: string,
  body: object,
  query: Query = dryRun,
): Promise<unknown> {
  return await requester.client.create({ path: pathOf(requester, group, resource), query, body });
}

async function patchPod(requester: Requester, name: string, change: object): Promise<unknown> {
  const path = pathOf(requester, core, `pods/${name}`);
  return await requester.client.patch({ path, query: dryRun, body: { metadata: change } });
}

async function createPolicy(requester: Requester): Promise<unknown> {
  const body = policyManifest('new', { selector: { matchLabels: {} }, files: 5 });
  return await requester.client.create({ path: policiesPath(requester.namespace), query: dryRun, body });
}

async function patchPolicy(requester: Requester, body: object): Promise<unknown> {
  const path = `${policiesPath(requester.namespace)}/stored`;
  return await requester.client.patch({ path, query: dryRun, body });
}

async function patchTemplate(requester: Requester, name: string): Promise<unknown> {
  const template = { metadata: { annotations: captured } };
  const path = pathOf(requester, apps, name);
  return await requester.client.patch({ path, query: dryRun, body: { spec: { template } } });
}
