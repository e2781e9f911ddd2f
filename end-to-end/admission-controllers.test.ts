import { describe, expect } from 'vitest';
import { annotationRules, captureAnnotation } from '../src/agent/planner/annotations.ts';
import { until } from '../src/base/until.ts';
import {
  bad,
  deployment,
  type Guarded,
  outsideOperator,
  pod,
  problem,
  test,
} from './support/guarded-namespace.ts';
import { idle } from './support/pod-manifests.ts';
import { kubectl } from './support/run-kubectl.ts';
import { staticPod } from './support/static-pod.ts';
import { ownedBy, workload } from './support/workload-manifests.ts';

const known = Object.values(annotationRules({ maxFiles: 100, maxFileMegabytes: 100 })).map(({ key }) => key);
const unknown = `annotation podcap.dev/filters is unknown: must be one of ${known.slice(1).join(', ')}`;

const anyOwner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'unknown' };

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
    ).toEqual([unknown]);
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
    await until(async () => (await names()).includes('pod/rollout-7f-'), { what: 'its Pod' });
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
  expect(await annotate('--dry-run=server', 'podcap.dev/filters=tcp')).toEqual([unknown]);
  expect(await annotate('--dry-run=server', 'podcap.dev/filter=tcp')).toEqual([]);
  expect(await annotate('--dry-run=server', 'example.com/filters=tcp')).toEqual([]);
});
