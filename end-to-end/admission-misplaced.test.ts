import { describe, expect } from 'vitest';
import { captureAnnotation } from '../src/agent/planner/annotations.ts';
import { until } from '../src/base/until.ts';
import { warningsOf } from './support/admission-policies.ts';
import { bad, deployment, problem, test } from './support/guarded-namespace.ts';
import { kubectl } from './support/run-kubectl.ts';
import {
  cronJob,
  job,
  replicationController,
  rolloutDefinition,
  workload,
} from './support/workload-manifests.ts';

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

function misplaced(where: {
  readonly key: string;
  readonly kind: string;
  readonly selection: string;
}): string {
  const { key, kind, selection } = where;
  const path = `${kind === 'CronJob' ? 'spec.jobTemplate.' : ''}spec.template.metadata.annotations`;
  return `annotation ${key} has no effect on a ${kind}: annotate its Pods (kubectl annotate pods${selection} ${key}=...), or ${path} for the Pods that it creates from then on`;
}

/** The object with annotations of its own. */
function annotated(object: object, annotations: Readonly<Record<string, string>>): object {
  const metadata = 'metadata' in object ? object.metadata : {};
  return { ...object, metadata: Object.assign({}, metadata, { annotations }) };
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
