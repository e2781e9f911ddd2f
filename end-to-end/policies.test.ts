import { join } from 'node:path';
import * as v from 'valibot';
import { expect } from 'vitest';
import { readRecord } from '../src/agent/storage/capture-records.ts';
import { readRequester } from '../src/agent/storage/requester.ts';
import { until } from '../src/base/until.ts';
import { checkout } from '../tools/target.ts';
import { namespacePolicies } from './support/capture-policies.ts';
import { type CapturedPod, sendCaptured } from './support/captured-pod.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { range } from './support/consecutive.ts';
import { waitForFirstDatagram } from './support/first-datagram.ts';
import { waitForCaptureFolder, waitForFoldersDeleted } from './support/node-captures.ts';
import { idle, type PodOptions, receiver as receiverPod, startupSender } from './support/pod-manifests.ts';
import { waitForTcpdumps } from './support/pod-processes.ts';
import { waitForListedState } from './support/read-back.ts';
import { generationsIn, numbersIn, waitForGeneration } from './support/ring-contents.ts';
import { kubectl } from './support/run-kubectl.ts';
import type { TestCluster } from './support/test-cluster.ts';

const test = clusterTest.extend('policies', { scope: 'file' }, async ({ cluster }) =>
  namespacePolicies(cluster),
);

const notMatched = 'no CapturePolicy asks for it any more, its capture files are kept for the retention time';

test('a Pod that a policy selects is captured, and its Event and its folder name the policy', async ({
  cluster,
  policies,
  receiver,
}) => {
  await policies.create('web-crashes', 'web', { files: 7, filter: 'udp' });
  const web = await capturedByPolicy(cluster, 'web');
  const started = await cluster.event(web.uid, 'CaptureStarted');
  expect(started.message).toContain(
    'capturing eth0, keeping the last 7 files of 1 MB, filter "udp" on node1, as CapturePolicy web-crashes asks; ',
  );
  expect(await readRequester(web.folder)).toEqual({ policy: 'web-crashes' });
  expect(await sendCaptured(cluster, web, { receiver })).toEqual(range(0, 50));
});

test('when its label changes, capturing stops and the files stay; with the label, it continues in the same folder', async ({
  cluster,
  policies,
  receiver,
}) => {
  await policies.create('isolated', 'isolated');
  const pod = await capturedByPolicy(cluster, 'isolated');
  await sendCaptured(cluster, pod, { receiver });
  await label(cluster, pod.name, { app: 'quarantine' });
  await cluster.event(pod.uid, 'CaptureStopped', notMatched);
  await waitForTcpdumps([pod], { count: 0 });
  expect(await numbersIn(pod.folder)).toEqual(range(0, 50));
  await waitForListedState(pod, { state: 'ended', reason: 'NotMatched' });
  await label(cluster, pod.name, { app: 'isolated' });
  await waitForTcpdumps([pod], { count: 1 });
  expect(await sendCaptured(cluster, pod, { receiver, first: 50 })).toEqual(range(0, 100));
  expect(await generationsIn(pod.folder)).toEqual([1, 2]);
});

test('a changed policy applies to its Pods, also one that selects others', async ({
  cluster,
  policies,
  receiver,
}) => {
  await policies.create('changed', 'changed');
  const pod = await capturedByPolicy(cluster, 'changed');
  await sendCaptured(cluster, pod, { receiver });
  await policies.patch('changed', { files: 9 });
  await cluster.event(pod.uid, 'CaptureStarted', 'keeping the last 9 files');
  await policies.patch('changed', { selector: { matchLabels: { app: 'nobody' } } });
  await cluster.event(pod.uid, 'CaptureStopped', notMatched);
  expect(await numbersIn(pod.folder)).toEqual(range(0, 50));
});

test('a deleted policy stops the capture, and the files stay', async ({ cluster, policies, receiver }) => {
  await policies.create('deleted', 'deleted');
  const pod = await capturedByPolicy(cluster, 'deleted');
  await sendCaptured(cluster, pod, { receiver });
  await policies.delete('deleted');
  await cluster.event(pod.uid, 'CaptureStopped', notMatched);
  await waitForTcpdumps([pod], { count: 0 });
  expect(await numbersIn(pod.folder)).toEqual(range(0, 50));
});

test('a policy asks for nothing once it has expired', async ({ cluster, policies }) => {
  const expires = new Date(Date.now() + 8_000).toISOString();
  await policies.create('expires', 'expires', { expires });
  const pod = await capturedByPolicy(cluster, 'expires');
  expect(Date.now()).toBeLessThan(Date.parse(expires));
  await cluster.event(pod.uid, 'CaptureStopped', notMatched);
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expires));
});

test('an annotation replaces the policy, and without it the policy applies again', async ({
  cluster,
  policies,
}) => {
  await policies.create('replaced', 'replaced', { filter: 'tcp' });
  const pod = await capturedByPolicy(cluster, 'replaced');
  await cluster.annotate(pod.name, '3');
  // Without the filter, once its tcpdump is replaced.
  await cluster.event(pod.uid, 'CaptureStarted', 'keeping the last 3 files of 1 MB on node1; ');
  await cluster.annotate(pod.name, 'many');
  await cluster.event(pod.uid, 'InvalidAnnotation');
  await waitForTcpdumps([pod], { count: 0 });
  await cluster.annotate(pod.name, null);
  await waitForTcpdumps([pod], { count: 1 });
  await waitForGeneration(pod.folder, 3);
  expect(await readRecord(pod.folder, 3)).toMatchObject({ filter: 'tcp' });
  expect(await readRequester(pod.folder)).toEqual({ policy: 'replaced' });
});

test('what an annotation asked for is deleted with it, also if a policy selected the Pod before', async ({
  cluster,
  policies,
}) => {
  await policies.create('before', 'before');
  const pod = await capturedByPolicy(cluster, 'before');
  await cluster.annotate(pod.name, '5');
  await until(async () => (await readRequester(pod.folder)).policy === undefined, {
    what: 'the folder to name no policy any more',
  });
  await policies.delete('before');
  await cluster.annotate(pod.name, null);
  await cluster.event(pod.uid, 'CaptureStopped', 'the annotation was removed');
  await waitForFoldersDeleted([pod]);
});

test('the oldest of several policies asks, and the next one when it is deleted', async ({
  cluster,
  policies,
}) => {
  await policies.create('z-oldest', 'several', { files: 2 });
  // Times of creation are in whole seconds.
  const created = Math.floor(Date.now() / 1_000);
  await until(async () => Math.floor(Date.now() / 1_000) > created, { what: 'the next second' });
  await policies.create('a-next', 'several', { files: 4 });
  const pod = await capturedByPolicy(cluster, 'several');
  await cluster.event(pod.uid, 'CaptureStarted', 'as CapturePolicy z-oldest asks');
  await policies.delete('z-oldest');
  await cluster.event(
    pod.uid,
    'CaptureStarted',
    'the last 4 files of 1 MB on node1, as CapturePolicy a-next asks',
  );
  await waitForTcpdumps([pod], { count: 1 });
});

test('a filter that tcpdump refuses is refused with the name of the policy', async ({
  cluster,
  policies,
}) => {
  await policies.create('bad-filter', 'bad-filter', { filter: 'tcp porrt 80' });
  const pod = await cluster.start(labelled('bad-filter'));
  const refused = await cluster.event(pod.uid, 'InvalidFilter');
  expect(refused.message).toContain('CapturePolicy bad-filter: spec.filter="tcp porrt 80": ');
});

test('Pods that a rollout creates are captured from their first packet', async ({ cluster, policies }) => {
  const { client, namespace } = cluster;
  const { ip: to } = await cluster.start(receiverPod({ name: 'receiver' }));
  await policies.create('rollout', 'rollout');
  const { spec } = startupSender({ name: 'rollout', to, withInit: false });
  const matchLabels = { app: 'rollout' };
  const template = { metadata: { labels: matchLabels }, spec };
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const body = { metadata: { name: 'rollout' }, spec: { replicas: 4, selector: { matchLabels }, template } };
  await client.create({ path: deployments, body });
  await waitForRollout(namespace);
  const before = await podsOf(cluster);
  await client.patch({
    path: `${deployments}/rollout`,
    body: { spec: { template: { metadata: { annotations: { version: '2' } } } } },
  });
  await waitForRollout(namespace);
  const after = (await podsOf(cluster)).filter((name) => !before.includes(name));
  expect(after.length).toBeGreaterThanOrEqual(4);
  const pods = await Promise.all(after.slice(0, 4).map((name) => cluster.running(name)));
  const first = await Promise.all(pods.map(waitForFirstDatagram));
  expect(first.map((each) => each.first)).toEqual([0, 0, 0, 0]);
});

// All policies of the cluster are gone with the CRD: this is the last test.
test('a deleted CRD stops what policies asked for, and the agents notice when it is back', async ({
  cluster,
  policies,
  receiver,
}) => {
  await policies.create('crd', 'crd');
  const pod = await capturedByPolicy(cluster, 'crd');
  await sendCaptured(cluster, pod, { receiver });
  await kubectl('delete', 'crd', 'capturepolicies.policy.podcap.dev');
  await cluster.event(pod.uid, 'CaptureStopped', notMatched);
  expect(await numbersIn(pod.folder)).toEqual(range(0, 50));
  await kubectl('apply', '-f', join(checkout, 'deploy/podcap-cluster.yaml'));
  await kubectl('wait', '--for=condition=Established', 'crd/capturepolicies.policy.podcap.dev');
  await policies.create('crd', 'crd');
  await until(async () => (await generationsIn(pod.folder)).length === 2, {
    what: 'the capture to continue',
    deadlineMs: 100_000,
  });
  expect(await sendCaptured(cluster, pod, { receiver, first: 50 })).toEqual(range(0, 100));
});

function labelled(app: string, options: Partial<PodOptions> = {}) {
  return idle({ name: app, node: 'node1', labels: { app }, ...options });
}

/** A Pod with the label app=<app> on node1, once a policy has it captured. */
async function capturedByPolicy(cluster: TestCluster, app: string): Promise<CapturedPod> {
  const pod = await cluster.start(labelled(app));
  await cluster.event(pod.uid, 'CaptureStarted');
  return { ...pod, folder: await waitForCaptureFolder(pod) };
}

async function label({ client, namespace }: TestCluster, name: string, labels: object): Promise<void> {
  await client.patch({
    path: `/api/v1/namespaces/${namespace}/pods/${name}`,
    body: { metadata: { labels } },
  });
}

async function waitForRollout(namespace: string): Promise<void> {
  await kubectl('-n', namespace, 'rollout', 'status', 'deployment/rollout', '--timeout=100s');
}

const podsSchema = v.object({ items: v.array(v.object({ metadata: v.object({ name: v.string() }) })) });

async function podsOf({ client, namespace }: TestCluster): Promise<string[]> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const list = await client.get({ path, query: { labelSelector: 'app=rollout' } });
  return v.parse(podsSchema, list).items.map(({ metadata }) => metadata.name);
}
