import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { nodes } from '../cluster/layout.ts';
import { folderName, recordName, ringFileBase } from '../src/agent/storage/file-names.ts';
import { until } from '../src/base/until.ts';
import { built } from '../tools/go-program.ts';
import { template } from '../tools/manifests.ts';
import { output } from '../tools/shell.ts';
import { checkout } from '../tools/target.ts';
import { chartRelease } from './support/chart-release.ts';
import { test } from './support/cluster-test.ts';
import { kubectl } from './support/run-kubectl.ts';

const strictDryRun = ['apply', '--dry-run=server', '--validate=strict', '-f'];

test.for([
  'podcap.yaml',
  'podcap-cluster.yaml',
  'purge.yaml',
  'examples/traffic.yaml',
  'examples/crash-policy.yaml',
])('the API server accepts every field of deploy/%s', async (file) => {
  const applied = await kubectl(...strictDryRun, join(checkout, 'deploy', file));
  expect(applied).toContain('(server dry run)');
});

test('the API server accepts everything that the chart can render', async ({ cluster }) => {
  const values = join(checkout, 'deploy/chart/ci/everything-values.yaml');
  // Without the kinds of the Prometheus operator and of OpenShift, which this cluster does not have.
  const others = ['podMonitor', 'prometheusRule', 'securityContextConstraints'];
  const without = ['--set', others.map((name) => `${name}.enabled=false`).join(',')];
  const options = ['--namespace', cluster.namespace, '--values', values, ...without];
  const yaml = await output(await built('helm'), [...template('second-podcap'), ...options]);
  const file = join(checkout, 'build/everything.yaml');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, yaml);
  const applied = await kubectl(...strictDryRun, file);
  expect(applied.trim().split('\n')).toHaveLength(41);
});

test('the policies of the deployed agents apply, except in the namespaces of tests', async ({ cluster }) => {
  const run = [
    'run',
    'web',
    '--image=podcap:latest',
    '--dry-run=server',
    '--annotations=tcpdump.antrea.io=0',
  ];
  await expect(kubectl('-n', 'default', ...run)).rejects.toThrow('annotation tcpdump.antrea.io="0": must be');
  await expect(kubectl('-n', cluster.namespace, ...run)).resolves.toContain('pod/web created');
});

test('a release is installed, upgraded, and uninstalled with its captures, and leaves nothing', async ({
  cluster,
}) => {
  await using release = chartRelease(cluster, 'second-podcap');
  await release.install();
  const first = await agents(cluster.namespace);
  expect(first).toHaveLength(nodes.length);

  await release.upgrade('--set', 'settings.maxFiles=7,purgeOnUninstall=true');
  const isOld = ({ name }: ReleasedAgent) => first.some((old) => old.name === name);
  await until(async () => !(await agents(cluster.namespace)).some(isOld), {
    what: 'the first agents to be gone',
    deadlineMs: 60_000,
  });
  for (const { args } of await agents(cluster.namespace)) expect(args).toContain('--max-files=7');

  await Promise.all(nodes.map(({ name }) => writeCaptures(release.folderOn(name))));
  await release.uninstall('--timeout', '90s');
  for (const { name } of nodes) expect(await readdir(release.folderOn(name))).toEqual(['notes.txt']);
  await until(async () => (await objectsOf(release.name, cluster.namespace)) === '', {
    what: 'every object of the release to be deleted',
    deadlineMs: 60_000,
  });
});

type ReleasedAgent = { readonly name: string; readonly args: string };

async function agents(namespace: string): Promise<ReleasedAgent[]> {
  const columns = 'custom-columns=:metadata.name,:spec.containers[0].args';
  const selection = ['-l', 'app=packet-capture', '--no-headers', '-o', columns];
  const lines = await kubectl('-n', namespace, 'get', 'pods', ...selection);
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ name: line.split(' ')[0] ?? '', args: line }));
}

/** The names of all objects of the release, one a line. */
async function objectsOf(release: string, namespace: string): Promise<string> {
  const kinds = [
    'daemonsets,deployments,pods,jobs,services,poddisruptionbudgets',
    'secrets,configmaps,serviceaccounts,roles,rolebindings',
    'clusterroles,clusterrolebindings,priorityclasses',
    'validatingadmissionpolicies,validatingadmissionpolicybindings',
  ];
  const label = `app.kubernetes.io/instance=${release}`;
  return await kubectl('-n', namespace, 'get', kinds.join(','), '-l', label, '-o', 'name');
}

/** Writes the captures of a Pod, and a file that is not Podcap's. */
async function writeCaptures(root: string): Promise<void> {
  const pod = { namespace: 'default', pod: 'web', uid: '6d1f4c1e-9f5c-4b2e-8f0e-3a2b1c0d9e8f' };
  const folder = join(root, folderName(pod));
  await mkdir(folder);
  for (const name of [`${ringFileBase(pod.pod, 1)}000`, recordName(1)])
    await writeFile(join(folder, name), '');
  await writeFile(join(root, 'notes.txt'), '');
}
