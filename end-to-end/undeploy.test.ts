import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { testPod, undeploy } from '../tools/deploy.ts';
import { checkout, ourTarget, type TargetCluster } from '../tools/target.ts';
import { capturedPod } from './support/captured-pod.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { deleteNamespaceAtOnce, hubServes, registeredHub } from './support/registered-hub.ts';
import { kubectl } from './support/run-kubectl.ts';

/** The cluster, with the namespace of the test as kubectl's own. Afterwards the agents are deployed again. */
const test = clusterTest.extend('target', async ({ cluster }, { onCleanup }): Promise<TargetCluster> => {
  const folder = await temporaryFolder();
  onCleanup(async () => {
    await folder[Symbol.asyncDispose]();
    await deployAgain();
  });
  const kubeconfig = join(folder.path, 'kubeconfig');
  await writeFile(kubeconfig, await kubectl('config', 'view', '--raw', '--flatten'), { mode: 0o600 });
  const target = { ...ourTarget(), kubeconfig };
  await kubectl(
    '--kubeconfig',
    kubeconfig,
    'config',
    'set-context',
    '--current',
    `--namespace=${cluster.namespace}`,
  );
  return target;
});

test('make undeploy reports the end to captured Pods, and deletes only the examples that make test-pod created', async ({
  cluster,
  target,
}) => {
  const web = await capturedPod(cluster, 'web');
  const inNamespace = ['-n', cluster.namespace];
  await kubectl(...inNamespace, 'create', 'service', 'clusterip', 'traffic-server', '--tcp=80:8080');
  await testPod(target);
  await testPod(target);

  await undeploy(target);
  const stopped = await cluster.event(web.uid, 'CaptureStopped', 'Podcap is being uninstalled');
  expect(stopped).toMatchObject({ type: 'Normal', message: expect.stringContaining('packets captured: ') });
  const left = await kubectl(...inNamespace, 'get', 'pods,services', '-o', 'name');
  expect(left.trim().split('\n')).toEqual(['pod/web', 'service/traffic-server']);
  const agents = await kubectl('get', 'daemonsets,pods', '-A', '-l', 'app=packet-capture', '-o', 'name');
  expect(agents).toBe('');
  await kubectl('get', 'crd', 'capturepolicies.policy.podcap.dev');
  expect(await registeredHub()).toBe('');
  await deleteNamespaceAtOnce(`${cluster.namespace}-undeployed`);
  const secret = ['-n', 'kube-system', 'get', 'secret/podcap-hub', '--ignore-not-found', '-o', 'name'];
  expect(await kubectl(...secret)).toBe('');

  await deployAgain();
  await cluster.event(web.uid, 'CaptureStarted', 'the last 5 files');
});

async function deployAgain(): Promise<void> {
  await kubectl('apply', '-f', join(checkout, 'deploy/podcap-cluster.yaml'));
  for (const workload of ['daemonset/podcap', 'deployment/podcap-hub'])
    await kubectl('-n', 'kube-system', 'rollout', 'status', workload, '--timeout=100s');
  await hubServes('podcap-hub');
}
