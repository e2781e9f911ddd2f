import { execFile } from 'node:child_process';
import { readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { fetchRuntime, oldestRuntimes, ownRuntime } from '../tools/cli-release/node-runtimes.ts';
import { builtCli } from './support/built-cli.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { idle } from './support/pod-manifests.ts';

/** kubectl podcap as it is built: completion, versions, and Node.js 20, with the real cluster and hub. */
const test = clusterTest
  .extend('cli', { scope: 'file' }, async ({}, { onCleanup }) => {
    const cli = await builtCli();
    onCleanup(() => cli[Symbol.asyncDispose]());
    return cli;
  })
  .extend('pods', { scope: 'file' }, async ({ cluster }) => {
    await cluster.create(idle({ name: 'web-captured', node: 'node1', annotation: '2' }));
    await cluster.create(idle({ name: 'web-other', node: 'node2' }));
    return cluster.namespace;
  });

async function completed(env: NodeJS.ProcessEnv, ...words: readonly string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)('kubectl', ['__complete', 'podcap', ...words], { env });
  return stdout.trimEnd().split('\n');
}

test('targets are completed with Pods', async ({ cli, pods }) => {
  expect(await completed(cli.env, 'start', '-n', pods, 'web')).toEqual(['web-captured', 'web-other', ':4']);
  expect(await completed(cli.env, 'start', '-n', pods, 'web-other', '')).toEqual(['web-captured', ':4']);
});

test('recordings are completed with captures', async ({ cli, pods }) => {
  const words = await until(
    async () => {
      const found = await completed(cli.env, 'save', `--namespace=${pods}`, '');
      return found.length > 1 && found;
    },
    { what: 'the capture to be listed', everyMs: 200 },
  );
  expect(words).toEqual(['web-captured', ':4']);
});

test('namespaces are completed', async ({ cli, pods }) => {
  expect(await completed(cli.env, 'save', '-n', pods.slice(0, -1))).toEqual([pods, ':4']);
});

test('a user without rights completes nothing, silently', async ({ cli, pods }) => {
  expect(await completed(cli.env, 'start', '-n', pods, '--as', 'nobody', '')).toEqual([':4']);
});

test('the versions of hub and agents are those of the chart', async ({ cli }) => {
  const { stdout } = await promisify(execFile)('kubectl', ['podcap', 'version'], { env: cli.env });
  expect(stdout).toMatch(/^kubectl {9}v1\./m);
  expect(stdout).toMatch(/^hub {13}\d+\.\d+\.\d+: 2 of 2 replicas ready \(kube-system\/podcap-hub\)$/m);
  expect(stdout).toMatch(/^agents {10}\d+\.\d+\.\d+: 2 of 2 Nodes ready \(kube-system\/podcap\)$/m);
});

test('what is built lists, saves and shows packets on Node.js 20', async ({ cli, pods }) => {
  const { node } = await fetchRuntime(ownRuntime(oldestRuntimes));
  await symlink(node, join(cli.folder, 'node'));
  const run = async (...args: readonly string[]) => {
    const options = { env: cli.env, cwd: cli.folder };
    return await promisify(execFile)('kubectl', ['podcap', ...args, '-n', pods], options);
  };
  expect((await run('version', '--client')).stdout).toMatch(/on Node[.]js 20[.]/);
  expect((await run('list', '-o', 'name')).stdout).toBe('capture.podcap.dev/web-captured\n');
  await run('save', 'web-captured', '--to', 'saved.pcapng');
  const magic = (await readFile(join(cli.folder, 'saved.pcapng'))).readUInt32LE();
  expect(magic).toBe(sectionHeader);
  expect((await run('live', 'web-other', '--duration', '1s')).stderr).toMatch(/packets? of 1 Pod/);
});

/** The type of the first block of pcapng. */
const sectionHeader = 0x0a0d0d0a;
