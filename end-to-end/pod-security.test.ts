import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout } from '../tools/target.ts';
import { kubectl, kubectlCommand, type TestCluster, testCluster } from './support/test-cluster.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await testCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

test.each([
  ['baseline', 'podcap.yaml'],
  ['restricted', 'podcap.yaml'],
  ['baseline', 'purge.yaml'],
  ['restricted', 'purge.yaml'],
] as const)(
  'docs/security.md tells each thing in which, of the Pod Security Standard %s, the Pods of %s go beyond',
  async (level, file) => {
    await kubectl(
      'label',
      '--overwrite',
      'namespace',
      cluster.namespace,
      `pod-security.kubernetes.io/warn=${level}`,
    );
    const found = await violations(level, file);
    expect(found).not.toEqual([]);
    expect(await documented(level, file)).toEqual(found);
  },
);

/** In the API server's own words. */
async function violations(level: string, file: string): Promise<string[]> {
  const manifest = await readFile(join(checkout, 'deploy', file), 'utf8');
  const folder = join(checkout, 'build/pod-security');
  await mkdir(folder, { recursive: true });
  const here = join(folder, file);
  await writeFile(here, manifest.replaceAll('namespace: kube-system', `namespace: ${cluster.namespace}`));
  const [program, ...args] = kubectlCommand('apply', '--dry-run=server', '-f', here);
  const { stderr } = await promisify(execFile)(program, args);
  const list = new RegExp(`would violate PodSecurity "${level}:latest": (.*)$`, 'm').exec(stderr)?.[1] ?? '';
  // Each ends with what in the Pod it is about, in brackets.
  return [...list.matchAll(/([^,(][^(]*\(.*?\))(?:, |$)/g)].map(([, violation = '']) => violation);
}

/** The rows of the table: standard, manifest, violation, and a reason. */
async function documented(level: string, file: string): Promise<string[]> {
  const lines = (await readFile(join(checkout, 'docs/security.md'), 'utf8')).split('\n');
  const rows = lines.map((line) => line.split('|').map((cell) => cell.trim()));
  const own = rows.filter(
    ([, standard, manifest]) => standard === level && manifest === `\`deploy/${file}\``,
  );
  for (const [, , , , reason] of own) expect(reason?.length).toBeGreaterThan(10);
  return own.map(([, , , violation = '']) => violation.replaceAll('`', ''));
}
