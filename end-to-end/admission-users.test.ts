import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { staticPods } from '../cluster/node-files.ts';
import { captureAnnotation } from '../src/agent/planner/annotations.ts';
import { until } from '../src/testbed/until.ts';
import {
  dryRun,
  installPolicies,
  refusalOf,
  serviceAccount,
  type TestServiceAccount,
  untilRefused,
} from './support/admission-policies.ts';
import { idle } from './support/pod-manifests.ts';
import { nodeProcess } from './support/pod-processes.ts';
import { kubectl, type TestCluster, testCluster } from './support/test-cluster.ts';

// Nothing of this is run by a Node, but for the static Pod: the API server and its controllers alone are asked.
const unscheduled = { spec: { schedulerName: 'none' } };
const captured = { [captureAnnotation]: '1' };
const metadata = { name: 'web' };
/** Two of those whose Pods and Jobs come from a template. */
const controllers = [
  'system:serviceaccount:kube-system:cronjob-controller',
  'system:kube-controller-manager',
];
const [core, apps, batch] = ['/api/v1', '/apis/apps/v1', '/apis/batch/v1'];

let cluster: TestCluster;
let policy: AsyncDisposable;
let allowed: TestServiceAccount;
let denied: TestServiceAccount;

beforeAll(async () => {
  cluster = await testCluster();
  policy = await installPolicies(cluster, 'allowedUsers');
  // So that the policy alone can refuse them what they ask for.
  const users = controllers.map((user) => `--user=${user}`);
  await kubectl(
    '-n',
    cluster.namespace,
    'create',
    'rolebinding',
    'controllers',
    '--clusterrole=edit',
    ...users,
  );
  await kubectl('create', 'clusterrole', extraRole(), '--verb=*', `--resource=${beyondEdit.join(',')}`);
  const roles = ['edit', extraRole()];
  denied = await serviceAccount(cluster, 'denied', roles);
  allowed = await serviceAccount(cluster, 'allowed', [...roles, `${cluster.namespace}-podcap-capture`]);
  await cluster.create(idle({ name: 'plain', ...unscheduled }));
  await create(
    cluster,
    apps,
    'deployments',
    workload({ name: 'plain', more: { replicas: 0 }, annotations: {} }),
    {},
  );
  await cluster.create(
    idle({ name: 'recorded', annotation: '2', annotations: { 'podcap.dev/filter': 'tcp' }, ...unscheduled }),
  );
  await untilRefused(() => patchPod(denied, 'plain', { annotations: captured }));
});
afterAll(async () => {
  await Promise.all([allowed, denied].map((account) => account[Symbol.asyncDispose]()));
  await policy[Symbol.asyncDispose]();
  await kubectl('delete', 'clusterrole', extraRole());
  await cluster[Symbol.asyncDispose]();
});

/** What the role edit does not give: without them a door would be closed by RBAC, and the test prove nothing. */
const beyondEdit = [
  'pods/status',
  'pods/binding',
  'bindings',
  'pods/ephemeralcontainers',
  'pods/resize',
  'deployments.apps/status',
  'controllerrevisions.apps',
];

/** By which an annotation comes to a Pod. */
const doors: Readonly<Record<string, (account: TestServiceAccount) => Promise<unknown>>> = {
  'a new Pod': (account) => create(account, core, 'pods', idle({ name: 'new', annotation: '1' })),
  'a Pod': (account) => patchPod(account, 'plain', { annotations: captured }),
  "a Pod's status": (account) => patchPod(account, 'plain/status', { annotations: captured }),
  "a Pod's binding": (account) => create(account, core, 'pods/plain/binding', binding()),
  'a binding of the old kind': (account) => create(account, core, 'bindings', binding()),
  'another number of files': (account) =>
    patchPod(account, 'recorded', { annotations: { [captureAnnotation]: '3' } }),
  'another filter': (account) =>
    patchPod(account, 'recorded', { annotations: { 'podcap.dev/filter': 'udp' } }),
  'no filter any more': (account) =>
    patchPod(account, 'recorded', { annotations: { 'podcap.dev/filter': null } }),
  'no annotation any more': (account) =>
    patchPod(account, 'recorded', { annotations: { [captureAnnotation]: null } }),
  'a Deployment': (account) => create(account, apps, 'deployments', workload()),
  'a ReplicaSet': (account) => create(account, apps, 'replicasets', workload()),
  'a StatefulSet': (account) =>
    create(account, apps, 'statefulsets', workload({ more: { serviceName: 'web' } })),
  'a DaemonSet': (account) => create(account, apps, 'daemonsets', workload()),
  'a ReplicationController': (account) => create(account, core, 'replicationcontrollers', replication('web')),
  'a Job': (account) => create(account, batch, 'jobs', { metadata, spec: jobSpec() }),
  'a CronJob': (account) => create(account, batch, 'cronjobs', cronJob()),
  'a revision of a StatefulSet': (account) => create(account, apps, 'controllerrevisions', revision()),
  'a template that had none': (account) => patchTemplate(account, 'deployments/plain'),
};

describe.each(Object.entries(doors))('through %s', (_door, go) => {
  test('who may create captures goes, and nobody else', async () => {
    expect(await refusalOf(go(allowed))).toBeUndefined();
    const refusal = await refusalOf(go(denied));
    expect(refusal).toMatchObject({ status: 403, reason: 'Forbidden' });
    expect(refusal?.message).toContain(
      `${denied.name} may not set, change or remove annotations of Podcap in the namespace ${cluster.namespace}: ` +
        'that takes the right to create captures.podcap.dev there',
    );
  });
});

test('so it is with kubectl annotate and a server-side apply', async () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    ...idle({ name: 'applied', annotation: '1', ...unscheduled }),
  };
  const file = `${denied.kubeconfig}.pod.json`;
  await writeFile(file, JSON.stringify(pod));
  const as = ({ kubeconfig }: TestServiceAccount, ...args: readonly string[]) =>
    kubectl('--kubeconfig', kubeconfig, '-n', cluster.namespace, ...args);
  for (const command of [
    ['annotate', '--dry-run=server', 'pod', 'plain', `${captureAnnotation}=1`],
    ['apply', '--server-side', '--dry-run=server', '-f', file],
  ]) {
    await as(allowed, ...command);
    await expect(as(denied, ...command)).rejects.toThrow(
      'may not set, change or remove annotations of Podcap',
    );
  }
});

test('what keeps the annotations as they are is open to everyone', async () => {
  for (const name of ['plain', 'recorded']) {
    expect(await refusalOf(patchPod(denied, name, { labels: { team: 'web' } }))).toBeUndefined();
    expect(await refusalOf(patchPod(denied, name, { annotations: { other: 'x' } }))).toBeUndefined();
  }
  const plain = idle({ name: 'new', ...unscheduled });
  expect(await refusalOf(create(denied, core, 'pods', plain))).toBeUndefined();
  expect(await refusalOf(create(denied, apps, 'deployments', workload({ annotations: {} })))).toBeUndefined();
  await denied.client.patch({
    path: pathOf(core, 'pods/recorded'),
    body: { metadata: { labels: { team: 'web' } } },
  });
});

test('these subresources leave annotations as they were', async () => {
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

test('the controllers make the Pods of a template whose author was allowed', async () => {
  const made = (resource: string, more: object = {}) => workload({ name: `by-${resource}`, more });
  for (const resource of ['deployments', 'replicasets', 'daemonsets'])
    await create(allowed, apps, resource, made(resource), {});
  await create(allowed, apps, 'statefulsets', made('statefulsets', { serviceName: 'web' }), {});
  await create(allowed, core, 'replicationcontrollers', replication('by-replicationcontrollers'), {});
  await create(allowed, batch, 'jobs', { metadata: { name: 'by-jobs' }, spec: jobSpec() }, {});
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
      const found = await annotatedPods();
      return owners.every(hasPods(found)) && found;
    },
    { what: `Pods of ${owners.join(', ')}`, deadlineMs: 30_000 },
  );
  expect(owners.filter(hasPods(pods))).toEqual(owners);
});

// A CronJob waits up to a minute for its time, and the controllers here have an account each: an administrator speaks
// in the name of the others.
test.each(controllers)('%s makes the Job of a CronJob, and annotates nothing that is there', async (user) => {
  const file = `${denied.kubeconfig}.job.json`;
  const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'of-cronjob' }, spec: jobSpec() };
  await writeFile(file, JSON.stringify(job));
  const asUser = (...args: readonly string[]) => kubectl('--as', user, '-n', cluster.namespace, ...args);
  await expect(asUser('create', '--dry-run=server', '-f', file)).resolves.toContain('created');
  const annotate = ['annotate', '--dry-run=server', 'pod', 'plain', `${captureAnnotation}=1`];
  await expect(asUser(...annotate)).rejects.toThrow(`${user} may not set, change or remove annotations`);
});

test('the mirror of a static Pod is made by its Node', async () => {
  const manifests = join(`/proc/${nodeProcess('node1')}/root`, staticPods);
  const { metadata: own, ...pod } = idle({ name: 'still', annotation: '1' });
  const { namespace } = cluster;
  const manifest = { apiVersion: 'v1', kind: 'Pod', metadata: { ...own, namespace }, ...pod };
  await writeFile(join(manifests, `.${namespace}.json`), JSON.stringify(manifest));
  await rename(join(manifests, `.${namespace}.json`), join(manifests, `${namespace}.json`));
  try {
    await cluster.running('still-node1');
    expect(await annotatedPods()).toContain('still-node1');
  } finally {
    await rm(join(manifests, `${namespace}.json`), { force: true });
  }
});

const annotatedSchema = v.object({
  metadata: v.object({
    name: v.optional(v.string(), ''),
    annotations: v.optional(v.record(v.string(), v.string())),
  }),
});
const templateSchema = v.object({ spec: v.object({ template: annotatedSchema }) });

async function annotatedPods(): Promise<string[]> {
  const list = await cluster.client.get({ path: pathOf(core, 'pods') });
  return v
    .parse(v.object({ items: v.array(annotatedSchema) }), list)
    .items.flatMap(({ metadata: { name, annotations } }) => (annotations?.[captureAnnotation] ? [name] : []));
}

function extraRole(): string {
  return `${cluster.namespace}-beyond-edit`;
}

function pathOf(group: string, rest: string): string {
  return `${group}/namespaces/${cluster.namespace}/${rest}`;
}

type Query = Readonly<Record<string, string>>;

async function create(
  { client }: Pick<TestServiceAccount, 'client'>,
  group: string,
  resource: string,
  body: object,
  query: Query = dryRun,
): Promise<unknown> {
  return await client.create({ path: pathOf(group, resource), query, body });
}

async function patchPod({ client }: TestServiceAccount, name: string, change: object): Promise<unknown> {
  return await client.patch({
    path: pathOf(core, `pods/${name}`),
    query: dryRun,
    body: { metadata: change },
  });
}

async function patchTemplate({ client }: TestServiceAccount, name: string): Promise<unknown> {
  const template = { metadata: { annotations: captured } };
  return await client.patch({ path: pathOf(apps, name), query: dryRun, body: { spec: { template } } });
}

function binding(): object {
  return { metadata: { name: 'plain', annotations: captured }, target: { kind: 'Node', name: 'node1' } };
}

type Workload = { readonly name?: string; readonly more?: object; readonly annotations?: object };

function workload({ name = 'web', more = {}, annotations = captured }: Workload = {}): object {
  const matchLabels = { app: name };
  const template = { ...podTemplate(name), metadata: { labels: matchLabels, annotations } };
  return { metadata: { name }, spec: { selector: { matchLabels }, template, ...more } };
}

function replication(name: string): object {
  return { metadata: { name }, spec: { template: podTemplate(name) } };
}

function podTemplate(app: string, more: object = {}) {
  const { spec } = idle({ name: 'any', spec: { ...unscheduled.spec, ...more } });
  return { metadata: { labels: { app }, annotations: captured }, spec };
}

function revision(): object {
  return { metadata, revision: 1, data: { spec: { template: podTemplate('web') } } };
}

function jobSpec(): object {
  return { template: podTemplate('job', { restartPolicy: 'Never' }) };
}

function cronJob(): object {
  return { metadata, spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: jobSpec() } } };
}
