import { describe, expect } from 'vitest';
import { captureAnnotation } from '../src/agent/planner/annotations.ts';
import { until } from '../src/base/until.ts';
import {
  dryRun,
  installPolicies,
  serviceAccount,
  type TestServiceAccount,
  waitForPolicy,
  warningsOf,
} from './support/admission-policies.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { idle } from './support/pod-manifests.ts';
import { kubectl } from './support/run-kubectl.ts';
import { staticPod } from './support/static-pod.ts';
import type { TestCluster } from './support/test-cluster.ts';
import {
  cronJob,
  job,
  ownedBy,
  replicationController,
  rolloutDefinition,
  unscheduled,
  workload,
} from './support/workload-manifests.ts';

const bad = { [captureAnnotation]: '0' };
const problem = 'annotation tcpdump.antrea.io="0": must be a whole number of capture files from 1 to 100';
const options =
  'podcap.dev/file-size, podcap.dev/interface, podcap.dev/filter, podcap.dev/snaplen, podcap.dev/duration';

/** A controller that does not use a ServiceAccount. */
const outsideOperator = 'operator@example.com';

type Guarded = {
  readonly cluster: TestCluster;
  /** A controller that is not one of Kubernetes' own. */
  readonly controller: TestServiceAccount;
  /** Runs kubectl in the test's namespace as an administrator. */
  readonly asPerson: (...args: readonly string[]) => Promise<string[]>;
  readonly asController: (...args: readonly string[]) => Promise<string[]>;
  /** Creates an object, as a dry run unless it is `stored`. */
  readonly create: (object: object, how?: { as?: readonly string[]; stored?: true }) => Promise<string[]>;
};

/** A namespace with both policies, in which nothing is captured. */
const test = clusterTest.extend(
  'guarded',
  { scope: 'file' },
  async ({ cluster }, { onCleanup }): Promise<Guarded> => {
    const stack = new AsyncDisposableStack();
    onCleanup(() => stack.disposeAsync());
    stack.use(await installPolicies(cluster, 'allowedValues', 'warnings'));
    const controller = stack.use(await serviceAccount(cluster, 'rollouts', ['admin']));
    const inNamespace = ['-n', cluster.namespace];
    const as = ['--kubeconfig', controller.kubeconfig, ...inNamespace];
    const guarded: Guarded = {
      cluster,
      controller,
      asPerson: (...args) => warningsOf([...inNamespace, ...args]),
      asController: (...args) => warningsOf([...as, ...args]),
      create: (object, { as: user = [], stored } = {}) =>
        warningsOf(
          [...inNamespace, ...user, 'create', ...(stored ? [] : ['--dry-run=server']), '-f', '-'],
          object,
        ),
    };
    const path = `/api/v1/namespaces/${cluster.namespace}/pods`;
    await waitForPolicy(() => cluster.client.create({ path, query: dryRun, body: pod('refused', bad) }));
    const annotated = pod('warned', { 'podcap.dev/x': '' });
    await until(async () => (await guarded.create(annotated)).length > 0, {
      what: 'the policy of warnings to be in effect',
    });
    await guarded.create(pod('web', {}), { stored: true });
    await guarded.create(deployment({ annotations: {}, more: { replicas: 0 } }), { stored: true });
    const users = ['system:kube-controller-manager', outsideOperator].map((user) => `--user=${user}`);
    await kubectl(...inNamespace, 'create', 'rolebinding', 'operators', '--clusterrole=admin', ...users);
    return guarded;
  },
);

describe('what controllers write is never refused, and they are warned', () => {
  const controllerOf = (guarded: Guarded) => ['--kubeconfig', guarded.controller.kubeconfig];

  test('a ServiceAccount creates and changes Pods and templates', async ({ guarded }) => {
    const { create, asController } = guarded;
    const as = controllerOf(guarded);
    expect(await create(pod('web-1', bad), { as })).toEqual([problem]);
    expect(await create(deployment({ annotations: bad, name: 'other' }), { as })).toEqual([problem]);
    expect(
      await asController('annotate', '--dry-run=server', 'pod', 'web', `${captureAnnotation}=0`),
    ).toEqual([problem]);
    const template = JSON.stringify({ spec: { template: { metadata: { annotations: bad } } } });
    expect(await asController('patch', '--dry-run=server', 'deployment', 'web', '--patch', template)).toEqual(
      [problem],
    );
    expect(
      await create(pod('web-1', { [captureAnnotation]: '1', 'podcap.dev/filters': 'tcp' }), { as }),
    ).toEqual([`annotation podcap.dev/filters is unknown: must be one of ${options}`]);
  });

  test('a controller that is no ServiceAccount creates the Pods of an owner', async ({
    guarded: { create },
  }) => {
    const of = (controller: boolean) => ownedBy(pod('web-1', bad), { ...anyOwner, controller });
    expect(await create(of(true), { as: [`--as=${outsideOperator}`] })).toEqual([problem]);
    await expect(create(of(false), { as: [`--as=${outsideOperator}`] })).rejects.toThrow(problem);
    expect(await create(of(false), { as: ['--as=system:kube-controller-manager'] })).toEqual([problem]);
  });

  test('a Node creates the mirror Pod of a static Pod', async ({ guarded: { cluster } }) => {
    const manifest = idle({ name: 'still', annotations: bad });
    await using still = await staticPod(manifest, { namespace: cluster.namespace, node: 'node1' });
    await cluster.running(still.name);
  });

  test('an application starts, whatever the template says that its controller wrote', async ({ guarded }) => {
    const { cluster, create } = guarded;
    const replicas = workload({ name: 'rollout-7f', annotations: { ...bad, 'podcap.dev/filters': 'tcp' } });
    const object = { apiVersion: 'apps/v1', kind: 'ReplicaSet', ...replicas };
    await create(object, { as: controllerOf(guarded), stored: true });
    const names = () => kubectl('-n', cluster.namespace, 'get', 'pods', '-l', 'app=rollout-7f', '-o', 'name');
    expect(await until(names, { what: 'its Pod' })).toContain('pod/rollout-7f-');
  });
});

describe('what people write is refused', () => {
  test('an administrator whose name starts with system: is a person', async ({ guarded: { create } }) => {
    const as = ['--as=system:admin', '--as-group=system:masters'];
    await expect(create(pod('web-1', bad), { as })).rejects.toThrow(problem);
  });

  test('a Pod that a controller created before', async ({ guarded: { cluster, create, asPerson } }) => {
    const uid = await kubectl(
      '-n',
      cluster.namespace,
      'get',
      'deployment',
      'web',
      '-o',
      'jsonpath={.metadata.uid}',
    );
    const owner = { ...anyOwner, uid, controller: true };
    await create(ownedBy(pod('of-web', {}), owner), { as: [`--as=${outsideOperator}`], stored: true });
    const annotate = asPerson('annotate', '--dry-run=server', 'pod', 'of-web', `${captureAnnotation}=0`);
    await expect(annotate).rejects.toThrow(problem);
  });
});

test('an unknown annotation of a Pod that requests no capture is allowed with a warning', async ({
  guarded: { asPerson },
}) => {
  const annotate = (...changes: readonly string[]) => asPerson('annotate', 'pod', 'web', ...changes);
  const unknown = `annotation podcap.dev/filters is unknown: must be one of ${options}`;
  expect(await annotate('--dry-run=server', 'podcap.dev/filters=tcp')).toEqual([unknown]);
  expect(await annotate('--dry-run=server', 'podcap.dev/filter=tcp')).toEqual([]);
  expect(await annotate('--dry-run=server', 'example.com/filters=tcp')).toEqual([]);
});

describe('an annotation on an object that owns Pods has no effect, and the warning says what has', () => {
  const apps = { apiVersion: 'apps/v1' };
  const plain = { ...apps, ...workload({ name: 'new', annotations: {} }) };
  const ownersOfPods: readonly (readonly [kind: string, object: object, selection: string])[] = [
    ['Deployment', plain, ' -l app=new'],
    ['ReplicaSet', plain, ' -l app=new'],
    ['DaemonSet', plain, ' -l app=new'],
    [
      'StatefulSet',
      { ...apps, ...workload({ name: 'new', annotations: {}, more: { serviceName: 'web' } }) },
      ' -l app=new',
    ],
    ['ReplicationController', { apiVersion: 'v1', ...replicationController('new', {}) }, ' -l app=new'],
    ['Job', { apiVersion: 'batch/v1', ...job('new', {}) }, ' -l batch.kubernetes.io/controller-uid=UID'],
    ['CronJob', { apiVersion: 'batch/v1', ...cronJob('new', {}) }, ''],
  ];

  test.for(ownersOfPods)('%s', async ([kind, object, selection], { guarded: { create } }) => {
    for (const key of [captureAnnotation, 'podcap.dev/snaplen', 'podcap.dev/snap-len']) {
      const warnings = await create({ ...annotated(object, { [key]: '128' }), kind });
      expect(warnings.map((text) => text.replace(/uid=[0-9a-f-]{36}/, 'uid=UID'))).toEqual([
        misplaced({ key, kind, selection }),
      ]);
    }
    expect(await create({ ...annotated(object, { 'example.com/snaplen': '128' }), kind })).toEqual([]);
  });

  test('a CronJob whose Jobs have it', async ({ guarded: { create } }) => {
    const jobTemplate = {
      ...cronJob('web', {}).spec.jobTemplate,
      metadata: { annotations: { [captureAnnotation]: '5' } },
    };
    const spec = { ...cronJob('web', {}).spec, jobTemplate };
    const warnings = await create({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'web' },
      spec,
    });
    expect(warnings).toEqual([misplaced({ key: captureAnnotation, kind: 'CronJob', selection: '' })]);
  });

  test('a Service and a Namespace', async ({ guarded: { cluster, create, asPerson } }) => {
    const { namespace } = cluster;
    const service = { metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } };
    const object = annotated(service, { [captureAnnotation]: '5' });
    expect(await create({ apiVersion: 'v1', kind: 'Service', ...object })).toEqual([
      'annotation tcpdump.antrea.io has no effect on a Service: annotate its Pods (kubectl annotate pods -l app=web tcpdump.antrea.io=...)',
    ]);
    expect(
      await asPerson('annotate', '--dry-run=server', 'namespace', namespace, `${captureAnnotation}=5`),
    ).toEqual([
      `annotation tcpdump.antrea.io has no effect on a Namespace: annotate its Pods (kubectl annotate pods --all -n ${namespace} tcpdump.antrea.io=...)`,
    ]);
  });

  test('a kind that is not one of Kubernetes itself, whose template is checked with a warning, too', async ({
    guarded: { create },
  }) => {
    await using _definition = await customKind(rolloutDefinition);
    const rollout = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      ...workload({ annotations: bad }),
    };
    expect(await create(rollout)).toEqual([problem]);
    expect(await create(annotated(rollout, { 'podcap.dev/filter': 'tcp' }))).toEqual([
      misplaced({ key: 'podcap.dev/filter', kind: 'Rollout', selection: ' -l app=web' }),
      problem,
    ]);
  });

  test('only when it is set or changed, and not if the template has it too', async ({ guarded }) => {
    const { cluster, create, asPerson } = guarded;
    const annotate = (...changes: readonly string[]) => asPerson('annotate', 'deployment', 'web', ...changes);
    const warning = misplaced({ key: captureAnnotation, kind: 'Deployment', selection: ' -l app=web' });
    expect(await annotate(`${captureAnnotation}=5`)).toEqual([warning]);
    expect(await asPerson('label', 'deployment', 'web', 'team=network')).toEqual([]);
    expect(await asPerson('scale', 'deployment', 'web', '--replicas=1')).toEqual([]);
    expect(await annotate('--overwrite', `${captureAnnotation}=6`)).toEqual([warning]);
    // The controller has copied it to the ReplicaSet, without a warning that nobody would read.
    const { namespace } = cluster;
    const copies = () => kubectl('-n', namespace, 'get', 'replicasets', '-o', 'jsonpath={..annotations}');
    await until(async () => (await copies()).includes(captureAnnotation), { what: 'the copy' });
    expect(await annotate(`${captureAnnotation}-`)).toEqual([]);
    expect(await create(annotated(deployment({ name: 'both' }), { [captureAnnotation]: '1' }))).toEqual([]);
  });
});

const anyOwner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'unknown' };

function misplaced(where: {
  readonly key: string;
  readonly kind: string;
  readonly selection: string;
}): string {
  const { key, kind, selection } = where;
  const path = `${kind === 'CronJob' ? 'spec.jobTemplate.' : ''}spec.template.metadata.annotations`;
  return `annotation ${key} has no effect on a ${kind}: annotate its Pods (kubectl annotate pods${selection} ${key}=...), or ${path} for the Pods that it creates from then on`;
}

function pod(name: string, annotations: Readonly<Record<string, string>>) {
  return { apiVersion: 'v1', kind: 'Pod', ...idle({ name, annotations, ...unscheduled }) };
}

function deployment(options: Parameters<typeof workload>[0]) {
  return { apiVersion: 'apps/v1', kind: 'Deployment', ...workload(options) };
}

/** The object with annotations of its own. */
function annotated(object: object, annotations: Readonly<Record<string, string>>): object {
  const metadata = 'metadata' in object && object.metadata instanceof Object ? object.metadata : {};
  return { ...object, metadata: { ...metadata, annotations } };
}

/** Creates the CustomResourceDefinition; disposing deletes it. */
async function customKind(definition: {
  readonly metadata: { readonly name: string };
}): Promise<AsyncDisposable> {
  const { name } = definition.metadata;
  await warningsOf(['create', '-f', '-'], definition);
  await kubectl('wait', '--for=condition=Established', `customresourcedefinition/${name}`, '--timeout=30s');
  return {
    async [Symbol.asyncDispose]() {
      await kubectl('delete', 'customresourcedefinition', name);
    },
  };
}
