import * as v from 'valibot';
import { expect } from 'vitest';
import { nodes } from '../../cluster/layout.ts';
import { captureAnnotation } from '../../src/agent/planner/annotations.ts';
import { until } from '../../src/base/until.ts';
import { numbersOf, packetsIn } from '../support/captured-packets.ts';
import { test } from '../support/cluster-test.ts';
import { expectConsecutive, range } from '../support/consecutive.ts';
import { deleteAndCount } from '../support/datagram-counts.ts';
import { hostReceiver } from '../support/host-receiver.ts';
import { captureFolder, waitForCaptureFolder } from '../support/node-captures.ts';
import { sender } from '../support/pod-manifests.ts';
import { digestsUpTo } from '../support/ring-contents.ts';
import { kubectl } from '../support/run-kubectl.ts';
import { sendingPod } from '../support/sending-pod.ts';
import type { TestCluster } from '../support/test-cluster.ts';

test('each of 6 Pods that a StatefulSet creates under one name has its own folder, and the earlier ones are kept', async ({
  cluster,
}) => {
  await using receiver = await hostReceiver();
  const { address: to, port } = receiver;
  const { spec } = sender({ name: 'web', node: 'node1', to, port, rate: 200, bytes: 200 });
  await createWorkload(cluster, 'statefulsets', {
    kind: 'StatefulSet',
    apiVersion: 'apps/v1',
    metadata: { name: 'web' },
    spec: {
      replicas: 1,
      serviceName: 'web',
      selector: { matchLabels: { app: 'web' } },
      template: template(spec),
    },
  });
  const folders: string[] = [];
  for (let i = 0; i < 6; i += 1) {
    const pod = await cluster.running('web-0');
    const folder = await waitForCaptureFolder(pod);
    expect(folders).not.toContain(folder);
    folders.push(folder);
    const { count } = receiver.received();
    await until(() => receiver.received().count > count + 100, { what: 'datagrams', deadlineMs: 30_000 });
    const before = await Promise.all(folders.slice(0, -1).map((each) => digestsUpTo(each, 1)));
    await cluster.delete('web-0', '--grace-period=1');
    await cluster.event(pod.uid, 'CaptureStopped', 'the Pod ended');
    expect(await Promise.all(folders.slice(0, -1).map((each) => digestsUpTo(each, 1)))).toEqual(before);
  }
  await kubectl('-n', cluster.namespace, 'delete', 'statefulset', 'web', '--wait=true');
  for (const folder of folders) {
    const numbers = numbersOf(await packetsIn(folder));
    expectConsecutive(numbers);
    expect(numbers.length).toBeGreaterThan(100);
  }
});

test('keeps what 5 force-deleted Pods send until their network is gone', async ({ cluster }) => {
  const pods = await Promise.all(
    range(0, 5).map((i) =>
      sendingPod(cluster, { name: `forced-${i}`, node: nodes[i % nodes.length]?.name ?? '' }),
    ),
  );
  for (const { receiver } of pods) await until(() => receiver.received().count > 100, { what: 'datagrams' });
  const names = pods.map(({ name }) => name);
  await kubectl('-n', cluster.namespace, 'delete', 'pods', ...names, '--grace-period=0', '--force');
  for (const pod of pods) {
    expect(await deleteAndCount(cluster, pod)).toMatchObject({ generations: 1, missing: 0 });
  }
});

test('keeps the files of each of 5 Pods of a Job that finish, with the last datagram', async ({
  cluster,
}) => {
  await using receiver = await hostReceiver();
  const { address: to, port } = receiver;
  const { spec } = sender({ name: 'job', to, port, rate: 200, bytes: 200, count: 200, exits: true });
  await createWorkload(cluster, 'jobs', {
    kind: 'Job',
    apiVersion: 'batch/v1',
    metadata: { name: 'job' },
    spec: { completions: 5, parallelism: 5, template: template(spec) },
  });
  await kubectl('-n', cluster.namespace, 'wait', '--for=condition=Complete', 'job/job', '--timeout=60s');
  const path = `/api/v1/namespaces/${cluster.namespace}/pods`;
  const query = { labelSelector: 'batch.kubernetes.io/job-name=job' };
  const { items } = v.parse(podsSchema, await cluster.client.get({ path, query }));
  expect(items).toHaveLength(5);
  for (const {
    metadata,
    spec: { nodeName },
  } of items) {
    await cluster.event(metadata.uid, 'CaptureStopped', 'the Pod ended');
    const folder = await captureFolder({ uid: metadata.uid, node: nodeName });
    expect(numbersOf(await packetsIn(folder ?? ''))).toEqual(range(0, 200));
  }
  expect(receiver.received().count).toBe(1_000);
});

async function createWorkload(
  { client, namespace }: TestCluster,
  resource: 'statefulsets' | 'jobs',
  body: object,
): Promise<void> {
  const group = resource === 'jobs' ? 'batch' : 'apps';
  await client.create({ path: `/apis/${group}/v1/namespaces/${namespace}/${resource}`, body });
}

function template(spec: object): object {
  return { metadata: { labels: { app: 'web' }, annotations: { [captureAnnotation]: '20' } }, spec };
}

const podsSchema = v.object({
  items: v.array(
    v.object({ metadata: v.object({ uid: v.string() }), spec: v.object({ nodeName: v.string() }) }),
  ),
});
