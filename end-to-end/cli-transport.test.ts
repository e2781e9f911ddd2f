import { expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { isAllowed } from '../src/cli/api/access-review.ts';
import { acceptedPaths } from '../src/cli/api/api-paths.ts';
import { listCaptures, watchCaptures } from '../src/cli/api/captures-client.ts';
import { openCaptureStream } from '../src/cli/api/open-capture-stream.ts';
import { resolveTargets } from '../src/cli/api/resolve-targets.ts';
import { watchTargets } from '../src/cli/api/watch-targets.ts';
import { openCluster } from '../src/cli/kubectl/open-cluster.ts';
import { capturedPod, sendCaptured } from './support/captured-pod.ts';
import { range } from './support/consecutive.ts';
import { test as hubTest } from './support/hub-test.ts';
import { numbersInCapture, numbersOfStream } from './support/numbers-in-capture.ts';
import { scaleDeployedHub } from './support/registered-hub.ts';
import { kubectl, kubectlCommand } from './support/run-kubectl.ts';
import { waitForTaps } from './support/tap-processes.ts';
import { workload } from './support/workload-manifests.ts';

const { signal } = new AbortController();

/** The cluster as `kubectl podcap` reaches it, in the namespace of the test. */
async function pluginCluster(namespace: string, flags: readonly string[] = []) {
  const [program, ...own] = kubectlCommand();
  const [name = '', value = ''] = own;
  const kubectlFlags = [`${name}=${value}`, ...flags];
  return await openCluster(
    { program, flags: kubectlFlags, namespace, env: process.env },
    Object.values(acceptedPaths),
    signal,
    ['POST', 'PATCH'],
  );
}

const test = hubTest
  .extend('plugin', { scope: 'file' }, async ({ cluster }, { onCleanup }) => {
    const plugin = await pluginCluster(cluster.namespace);
    onCleanup(() => plugin[Symbol.asyncDispose]());
    return plugin;
  })
  .extend('recorded', { scope: 'file' }, async ({ cluster, receiver, plugin }) => {
    const pod = await capturedPod(cluster, 'web');
    await sendCaptured(cluster, pod, { receiver, count: 50 });
    const names = async () => {
      const { captures } = await listCaptures(plugin, { namespace: cluster.namespace }, signal);
      return captures.map(({ metadata }) => metadata.name);
    };
    await until(async () => (await names()).includes('web'), { what: 'the capture to be listed' });
    return { ...pod, request: { kind: 'recording', namespace: cluster.namespace, pod: 'web' } as const };
  });

test('captures are listed and followed', async ({ cluster, plugin, recorded }) => {
  const { namespace } = cluster;
  const { captures, warnings } = await listCaptures(plugin, { namespace }, signal);
  expect(warnings).toEqual([]);
  expect(captures.find(({ metadata }) => metadata.name === 'web')?.status.recordings).toMatchObject([
    { uid: recorded.uid, node: 'node1', phase: 'Capturing' },
  ]);
  const seen: string[] = [];
  const following = (async () => {
    for await (const { kind, capture } of watchCaptures(plugin, { namespace }, signal)) {
      seen.push(`${kind} ${capture.metadata.name}`);
      if (capture.metadata.name === 'later') return;
    }
  })();
  await until(() => seen.length > 0, { what: 'the captures at first' });
  await capturedPod(cluster, 'later');
  await following;
  expect(seen[0]).toBe('set web');
});

test('a recording arrives with its end checked', async ({ plugin, recorded }) => {
  const opened = await openCaptureStream(plugin, recorded.request, signal);
  if (opened.kind !== 'open') throw new Error(opened.message);
  await using stream = opened.stream;
  const bytes = Buffer.concat(await Array.fromAsync(stream.chunks()));
  expect(await numbersInCapture(bytes)).toEqual(range(0, 50));
  expect(stream.outcome()).toMatchObject({ kind: 'ended', end: { isComplete: true } });
});

test('a live capture arrives as packets pass, and ends at the agent with its reader', async ({
  cluster,
  plugin,
  receiver,
  recorded,
}) => {
  const request = { ...recorded.request, kind: 'tap', filter: 'udp' } as const;
  const opened = await openCaptureStream(plugin, request, signal);
  if (opened.kind !== 'open') throw new Error(opened.message);
  await waitForTaps(1);
  const numbers: number[] = [];
  {
    await using stream = opened.stream;
    await cluster.send('web', { to: receiver.address, port: receiver.port, first: 100, count: 5 });
    for await (const number of numbersOfStream(stream.chunks())) {
      numbers.push(number);
      if (numbers.length === 5) break;
    }
  }
  expect(numbers).toEqual(range(100, 5));
  await waitForTaps(0, { deadlineMs: 2_000 });
});

test('a user who may see captures, but not download them, is told so, and which role is missing', async ({
  cluster,
  recorded,
}) => {
  const { namespace } = cluster;
  await kubectl('-n', namespace, 'create', 'rolebinding', 'seer', '--clusterrole=podcap-view', '--user=seer');
  await using plugin = await pluginCluster(namespace, ['--as=seer']);
  const download = { verb: 'download', group: 'podcap.dev', resource: 'captures', namespace };
  await until(async () => await isAllowed(plugin, { ...download, verb: 'list' }, signal), {
    what: 'the role to hold',
    everyMs: 200,
  });
  expect(await isAllowed(plugin, download, signal)).toBe(false);
  expect(await openCaptureStream(plugin, recorded.request, signal)).toMatchObject({
    kind: 'refused',
    status: 403,
    reason: 'Forbidden',
    message: expect.stringMatching(/cannot get resource "captures\/log"[^]*--clusterrole=podcap-download/),
    canRetry: false,
  });
});

test('the Pods of a Deployment are found and followed', async ({ cluster, plugin }) => {
  const { namespace } = cluster;
  const more = { replicas: 2 };
  await cluster.client.create({
    path: `/apis/apps/v1/namespaces/${namespace}/deployments`,
    body: workload({ name: 'shop', more, annotations: {} }),
  });
  const targets = { kind: 'workload', type: 'deployment', name: 'shop' } as const;
  const pods = await until(
    async () => {
      const found = await resolveTargets(plugin, targets, signal).catch(() => []);
      return found.length === 2 && found;
    },
    { what: 'two Pods of the Deployment', deadlineMs: 30_000, everyMs: 200 },
  );
  const seen = new Set<string>();
  for await (const { kind, pod } of watchTargets(plugin, targets, signal)) {
    seen.add(`${kind} ${pod.name}`);
    if (seen.size === 2) await kubectl('-n', namespace, 'scale', 'deployment/shop', '--replicas=3');
    if (pods.every(({ name }) => seen.has(`set ${name}`)) && seen.size > 2) break;
  }
  expect(seen.size).toBe(3);
});

test('without the hub, a command says so, and how recordings are read', async ({
  cluster,
  plugin,
  recorded,
}) => {
  await scaleDeployedHub(0);
  try {
    await expect(listCaptures(plugin, { namespace: cluster.namespace }, signal)).rejects.toThrow(
      "Podcap's hub is not installed",
    );
    expect(await openCaptureStream(plugin, recorded.request, signal)).toMatchObject({
      kind: 'refused',
      reason: 'HubMissing',
      message: expect.stringContaining('kubectl exec -n kube-system AGENT -- podcap read'),
    });
  } finally {
    await scaleDeployedHub(2);
  }
});
