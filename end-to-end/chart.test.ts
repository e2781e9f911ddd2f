import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodes } from '../cluster/layout.ts';
import { folderName, recordName, ringFileBase } from '../src/agent/storage/file-names.ts';
import { until } from '../src/testbed/until.ts';
import { built } from '../tools/go-program.ts';
import { template } from '../tools/manifests.ts';
import { checkout, ours } from '../tools/target.ts';
import { capturesRoot, kubectl, type TestCluster, testCluster } from './support/test-cluster.ts';

const chart = join(checkout, 'deploy/chart');
const release = 'second-podcap';
/** Beside the agents that the other tests look at: it captures no Pod, and its folder on the Nodes is another one. */
const harmless = ['--set', 'image.repository=podcap,image.tag=latest,extraArgs={--node-name=none}'];

let cluster: TestCluster;
let helm: (...args: readonly string[]) => Promise<string>;

beforeAll(async () => {
  cluster = await testCluster();
  const path = await built('helm');
  helm = async (...args) => {
    const env = { ...process.env, KUBECONFIG: ours.kubeconfig };
    const { stdout } = await promisify(execFile)(path, args, { env, maxBuffer: 16 * 1024 * 1024 });
    return stdout;
  };
});
afterAll(async () => {
  await helm('uninstall', release, '--namespace', cluster.namespace, '--ignore-not-found', '--no-hooks');
  await cluster[Symbol.asyncDispose]();
  await Promise.all(nodes.map(({ name }) => rm(folderOn(name), { recursive: true, force: true })));
});

test.each(['podcap.yaml', 'podcap-cluster.yaml', 'purge.yaml', 'examples/traffic.yaml'])(
  'the API server accepts every field of deploy/%s',
  async (file) => {
    const applied = await kubectl(
      'apply',
      '--dry-run=server',
      '--validate=strict',
      '-f',
      join(checkout, 'deploy', file),
    );
    expect(applied).toContain('(server dry run)');
  },
);

test('the API server accepts what the chart can render', async () => {
  const values = join(chart, 'ci/everything-values.yaml');
  // Not what takes the Prometheus operator's definitions, which this cluster does not have.
  const withoutOperator = ['--set', 'podMonitor.enabled=false,prometheusRule.enabled=false'];
  const yaml = await helm(
    ...template(release),
    '--namespace',
    cluster.namespace,
    '--values',
    values,
    ...withoutOperator,
  );
  const file = join(checkout, 'build/everything.yaml');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, yaml);
  const applied = await kubectl('apply', '--dry-run=server', '--validate=strict', '-f', file);
  expect(applied.trim().split('\n')).toHaveLength(16);
});

test('a release is installed, upgraded, and uninstalled with the captures, and nothing is left of it', async () => {
  const captures = `hostPaths.captures=/var/lib/podcap-${cluster.namespace}`;
  const common = [release, chart, '--namespace', cluster.namespace, ...harmless, '--set', captures];
  await helm('install', ...common, '--wait', '--timeout', '90s');
  const first = await agents();
  expect(first).toHaveLength(nodes.length);

  await helm('upgrade', ...common, '--set', 'settings.maxFiles=7,purgeOnUninstall=true', '--wait');
  await until(async () => (await agents()).every(({ name }) => !first.some((old) => old.name === name)), {
    what: 'the first agents to go',
    deadlineMs: 60_000,
  });
  for (const { args } of await agents()) expect(args).toContain('--max-files=7');

  await Promise.all(nodes.map(({ name }) => leaveCaptures(folderOn(name))));
  await helm('uninstall', release, '--namespace', cluster.namespace, '--timeout', '90s');
  for (const { name } of nodes) expect(await readdir(folderOn(name))).toEqual(['notes.txt']);
  await until(async () => (await objects()) === '', { what: 'all of the release to go', deadlineMs: 60_000 });
});

async function agents(): Promise<{ name: string; args: string }[]> {
  const columns = 'custom-columns=:metadata.name,:spec.containers[0].args';
  const selection = ['-l', 'app=packet-capture', '--no-headers', '-o', columns];
  const lines = await kubectl('-n', cluster.namespace, 'get', 'pods', ...selection);
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ name: line.split(' ')[0] ?? '', args: line }));
}

/** What the cluster has of the release. */
async function objects(): Promise<string> {
  const namespaced = 'daemonsets,pods,jobs,secrets,configmaps,serviceaccounts,roles,rolebindings';
  const ofTheCluster = 'clusterroles,clusterrolebindings';
  const policies = 'validatingadmissionpolicies,validatingadmissionpolicybindings';
  const label = `app.kubernetes.io/instance=${release}`;
  return await kubectl(
    '-n',
    cluster.namespace,
    'get',
    `${namespaced},${ofTheCluster},${policies}`,
    '-l',
    label,
    '-o',
    'name',
  );
}

function folderOn(node: string): string {
  return join(dirname(capturesRoot(node)), `podcap-${cluster.namespace}`);
}

async function leaveCaptures(root: string): Promise<void> {
  const pod = { namespace: 'default', pod: 'web', uid: '6d1f4c1e-9f5c-4b2e-8f0e-3a2b1c0d9e8f' };
  const folder = join(root, folderName(pod));
  await mkdir(folder);
  for (const name of [`${ringFileBase(pod.pod, 1)}000`, recordName(1)])
    await writeFile(join(folder, name), '');
  await writeFile(join(root, 'notes.txt'), '');
}
