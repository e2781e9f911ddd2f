import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { checkout } from '../tools/target.ts';
import { test } from './support/cluster-test.ts';
import { kubectl, kubectlCommand } from './support/run-kubectl.ts';
import type { TestCluster } from './support/test-cluster.ts';

test.for([
  ['baseline', 'podcap.yaml'],
  ['restricted', 'podcap.yaml'],
  ['baseline', 'purge.yaml'],
  ['restricted', 'purge.yaml'],
] as const)(
  'docs/security.md lists each violation of the Pod Security Standard %s by the Pods of %s',
  async ([level, file], { cluster }) => {
    const label = `pod-security.kubernetes.io/warn=${level}`;
    await kubectl('label', '--overwrite', 'namespace', cluster.namespace, label);
    const found = await violations(cluster, { level, file });
    expect(found).not.toEqual([]);
    expect(await documented({ level, file })).toEqual(found);
  },
);

test('the Pods of the hub pass the Pod Security Standard restricted without exception', async ({
  cluster,
}) => {
  const label = 'pod-security.kubernetes.io/warn=restricted';
  await kubectl('label', '--overwrite', 'namespace', cluster.namespace, label);
  const applied = await dryRun(cluster, 'podcap.yaml');
  expect(applied.stdout).toContain('deployment.apps/podcap-hub created (server dry run)');
  // One for the agents' DaemonSet, and no other.
  expect(applied.stderr.match(/would violate PodSecurity/g)).toHaveLength(1);
  expect(applied.stderr).not.toContain('container "hub"');
});

type Check = { readonly level: string; readonly file: string };

/** The violations as the API server words them. */
async function violations(cluster: TestCluster, { level, file }: Check): Promise<string[]> {
  const { stderr } = await dryRun(cluster, file);
  const list = new RegExp(`would violate PodSecurity "${level}:latest": (.*)$`, 'm').exec(stderr)?.[1] ?? '';
  // Each ends with the part of the Pod that it is about, in brackets.
  return [...list.matchAll(/([^,(][^(]*\(.*?\))(?:, |$)/g)].map(([, violation = '']) => violation);
}

/** What kubectl says when it applies a manifest in the namespace of the test, without any effect. */
async function dryRun({ namespace }: TestCluster, file: string) {
  const manifest = await readFile(join(checkout, 'deploy', file), 'utf8');
  const folder = join(checkout, 'build/pod-security');
  await mkdir(folder, { recursive: true });
  const here = join(folder, file);
  await writeFile(here, manifest.replaceAll('namespace: kube-system', `namespace: ${namespace}`));
  const [program, ...args] = kubectlCommand('apply', '--dry-run=server', '-f', here);
  return await promisify(execFile)(program, args);
}

/** The violations in the table of docs/security.md, whose columns are standard, manifest, violation and reason. */
async function documented({ level, file }: Check): Promise<string[]> {
  const lines = (await readFile(join(checkout, 'docs/security.md'), 'utf8')).split('\n');
  const rows = lines.map((line) => line.split('|').map((cell) => cell.trim()));
  const own = rows.filter(
    ([, standard, manifest]) => standard === level && manifest === `\`deploy/${file}\``,
  );
  for (const [, , , , reason] of own) expect(reason?.length).toBeGreaterThan(10);
  return own.map(([, , , violation = '']) => violation.replaceAll('`', ''));
}
