import { describe, expect } from 'vitest';
import { captureAnnotation } from '../src/agent/planner/annotations.ts';
import { until } from '../src/base/until.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { waitForFoldersDeleted } from './support/node-captures.ts';
import { idle } from './support/pod-manifests.ts';
import { podcapPlugin } from './support/podcap-plugin.ts';
import { kubectl } from './support/run-kubectl.ts';
import type { TestCluster } from './support/test-cluster.ts';

const test = clusterTest.extend('podcap', { scope: 'file' }, async ({ cluster }, { onCleanup }) => {
  const plugin = await podcapPlugin();
  onCleanup(() => plugin[Symbol.asyncDispose]());
  return (...args: readonly string[]) => plugin.run(...args, '-n', cluster.namespace);
});

async function startIdle(cluster: TestCluster, name: string, more: Partial<Parameters<typeof idle>[0]> = {}) {
  return await cluster.start(idle({ name, node: 'node1', ...more }));
}

async function annotationsOf({ namespace }: TestCluster, pod: string): Promise<string> {
  return await kubectl('-n', namespace, 'get', 'pod', pod, '-o', 'jsonpath={.metadata.annotations}');
}

describe('start', () => {
  test('says what each agent answers, on two Nodes, and what is refused before it is asked', async ({
    cluster,
    podcap,
  }) => {
    await Promise.all([
      startIdle(cluster, 'one'),
      startIdle(cluster, 'two', { node: 'node2' }),
      startIdle(cluster, 'host', { spec: { hostNetwork: true } }),
    ]);
    const { code, stdout } = await podcap('start', 'one', 'two', 'host', '--files', '7', '--filter', 'udp');
    expect(stdout.trimEnd().split('\n')).toEqual([
      'one: capturing eth0, keeping the last 7 files of 1 MB, filter "udp" on node1',
      'two: capturing eth0, keeping the last 7 files of 1 MB, filter "udp" on node2',
      expect.stringMatching(/^host: refused \(HostNetwork\): the Pod uses the host network/),
    ]);
    expect(code).toBe(3);
    const again = await podcap('start', 'one', '--files', '7', '--filter', 'udp');
    expect(again).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('one: asks for that already: capturing'),
    });
    const other = await podcap('start', 'one', '--files', '8');
    expect(other).toMatchObject({ code: 1, stdout: expect.stringContaining('keeps its own request') });
    const overwritten = await podcap('start', 'one', '--files', '8', '--overwrite');
    expect(overwritten).toMatchObject({
      code: 0,
      stdout: 'one: capturing eth0, keeping the last 8 files of 1 MB on node1\n',
    });
  });

  test('shows the refusal of the agent, of a new request and of a changed one', async ({
    cluster,
    podcap,
  }) => {
    await startIdle(cluster, 'refused');
    const filter = ['--filter', 'tcp prt 80'];
    const first = await podcap('start', 'refused', ...filter);
    expect(first).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /^refused: refused on node1 \(InvalidFilter\): annotation podcap.dev\/filter="tcp prt 80": /,
      ),
    });
    const good = await podcap('start', 'refused', '--overwrite');
    expect(good).toMatchObject({ code: 0, stdout: expect.stringContaining('refused: capturing eth0') });
    const changed = await podcap('start', 'refused', ...filter, '--overwrite');
    expect(changed).toMatchObject({ code: 1, stdout: expect.stringContaining('InvalidFilter') });
    const wrong = await podcap('start', 'refused', '--snaplen', '1', '--overwrite');
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('a whole number of bytes from 64 to 262144'),
    });
  });

  test('captures the Pods of a Deployment, and those to come with a policy', async ({ cluster, podcap }) => {
    const { namespace } = cluster;
    await kubectl(
      '-n',
      namespace,
      'create',
      'deployment',
      'web',
      '--image=podcap:latest',
      '--replicas=0',
      '--',
      'sleep',
      'infinity',
    );
    // Before there are Pods: those that a rollout replaces are selected, too, as long as they are ending.
    await kubectl('-n', namespace, 'patch', 'deployment', 'web', '--type=json', '-p', neverPulled);
    await kubectl('-n', namespace, 'scale', 'deployment', 'web', '--replicas=2');
    await kubectl('-n', namespace, 'rollout', 'status', 'deployment/web', '--timeout=60s');
    const started = await podcap('start', 'deployment/web');
    expect(started.stdout.match(/^web-.*: capturing eth0, keeping the last 5 files/gm)).toHaveLength(2);
    expect(started).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('kubectl podcap start deployment/web --policy web'),
    });
    const discarded = await podcap('discard', 'deployment/web', '--yes');
    // A capture that has just started need not have a file.
    expect(discarded.stdout.match(/^web-.*: (deleted |its request was removed$)/gm)).toHaveLength(2);
    expect(discarded.code).toBe(0);
    const policy = await podcap(
      'start',
      'deployment/web',
      '--policy',
      'web',
      '--files',
      '3',
      '--expires',
      '1h',
    );
    expect(policy.stdout).toMatch(/^CapturePolicy web: created, until 20/);
    expect(policy.stdout.match(/^web-.*: capturing eth0, keeping the last 3 files/gm)).toHaveLength(2);
    expect(policy.code).toBe(0);
    const kept = await podcap('discard', '-l', 'app=web', '--yes');
    expect(kept).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('CapturePolicy web asks for its capture'),
    });
    const stopped = await podcap('stop', '-l', 'app=web');
    expect(stopped).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`kubectl patch capturepolicy web -n ${namespace}`),
    });
    await kubectl('-n', namespace, 'delete', 'capturepolicy', 'web');
    await until(async () => (await podcap('discard', '-l', 'app=web', '--yes')).code === 0, {
      what: 'the recordings that no policy asks for any more to be deleted',
      deadlineMs: 30_000,
      everyMs: 500,
    });
  });

  test('needs the right to change Pods, or that to create policies', async ({ cluster, podcap }) => {
    const { namespace } = cluster;
    await startIdle(cluster, 'watched', { labels: { app: 'watched' } });
    const bind = (name: string, role: string) =>
      kubectl('-n', namespace, 'create', 'rolebinding', name, `--${role}`, '--user=jane');
    await bind('jane-views', 'clusterrole=view');
    const forbidden = await podcap('start', '-l', 'app=watched', '--as', 'jane');
    expect(forbidden).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /^watched: not changed: pods "watched" is forbidden: User "jane" cannot patch/,
      ),
      stderr: expect.stringContaining('kubectl podcap start -l app=watched --policy NAME'),
    });
    const policy = ['start', '-l', 'app=watched', '--policy', 'watched', '--as', 'jane'];
    expect(await podcap(...policy)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(
        'CapturePolicy watched: not created: capturepolicies.policy.podcap.dev is forbidden',
      ),
    });
    await kubectl(
      '-n',
      namespace,
      'create',
      'role',
      'policies',
      '--verb=create',
      '--resource=capturepolicies.policy.podcap.dev',
    );
    await bind('jane-policies', 'role=policies');
    expect(await podcap(...policy)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('watched: capturing eth0, keeping the last 5 files of 1 MB on node1'),
    });
  });
});

describe('what is captured', () => {
  test('is stopped, goes on, is frozen and discarded', async ({ cluster, podcap, receiver }) => {
    const pod = await startIdle(cluster, 'web');
    await podcap('start', 'web');
    await cluster.send('web', { to: receiver.address, port: receiver.port, count: 20 });
    const stopped = await podcap('stop', 'web');
    expect(stopped).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^web: paused: [1-9][0-9]* files?, .* kept on node1\n$/),
      stderr: expect.stringContaining('kubectl podcap discard web'),
    });
    expect(await podcap('stop', 'web')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is paused already'),
    });
    expect(await podcap('freeze', 'web')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('Paused'),
    });
    expect(await podcap('start', 'web')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('web: capturing eth0'),
    });
    const frozen = await podcap('freeze', 'web', '--reason', 'slow "at" 10:15');
    expect(frozen).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^web: frozen ring 1: [1-9][0-9]* files?, .*kubectl podcap save web --frozen 1/,
      ),
    });
    expect(await podcap('discard', 'web')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/web: .*, with 1 frozen ring on node1[^]*add --yes/),
    });
    expect(await annotationsOf(cluster, 'web')).toContain(captureAnnotation);
    expect(await podcap('discard', 'web', '--yes')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^web: deleted .*, with 1 frozen ring\n$/),
    });
    expect(await annotationsOf(cluster, 'web')).toBe('');
    await waitForFoldersDeleted([pod]);
  });

  test('of a Pod that is gone is discarded', async ({ cluster, podcap }) => {
    const pod = await startIdle(cluster, 'gone');
    await podcap('start', 'gone');
    await cluster.delete('gone');
    await until(async () => (await podcap('discard', 'gone', '--yes')).code === 0, {
      what: 'the recording of the Pod to be discarded once it has ended',
      deadlineMs: 60_000,
      everyMs: 1_000,
    });
    await waitForFoldersDeleted([pod]);
    expect(await podcap('discard', 'gone', '--yes')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('gone: there is no such Pod, and nothing is recorded of one'),
    });
  });
});

const neverPulled = JSON.stringify([
  { op: 'add', path: '/spec/template/spec/containers/0/imagePullPolicy', value: 'IfNotPresent' },
  { op: 'add', path: '/spec/template/spec/terminationGracePeriodSeconds', value: 1 },
]);
