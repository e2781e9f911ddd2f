import { expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { capturedPod } from './support/captured-pod.ts';
import { test as clusterTest } from './support/cluster-test.ts';
import { idle } from './support/pod-manifests.ts';
import { podcapCli } from './support/podcap-cli.ts';

/** `kubectl podcap list` and `check`, with captures of both Nodes in three states. */
const test = clusterTest.extend('namespace', { scope: 'file' }, async ({ cluster }) => {
  const labels = { app: 'web' };
  await capturedPod(cluster, 'running');
  const stopped = await capturedPod(cluster, 'stopped', { node: 'node2' });
  await cluster.annotate(stopped.name, { 'podcap.dev/paused': 'true' });
  const annotations = { 'podcap.dev/filter': 'tcp prt 80' };
  const refused = idle({ name: 'refused', node: 'node2', annotation: '2', annotations, labels });
  await cluster.event((await cluster.start(refused)).uid, 'InvalidFilter');
  await until(
    async () => {
      const { rows } = await listed('-n', cluster.namespace);
      return rows.some(([name, , state]) => name === 'stopped' && state === 'Paused') && rows.length === 4;
    },
    { what: 'the captures to have these states', everyMs: 500 },
  );
  return cluster.namespace;
});

/** The table that the command prints, as its cells. */
async function listed(...args: readonly string[]) {
  const { code, stdout, stderr } = await ended('list', ...args);
  const lines = stdout.trimEnd().split('\n');
  return { code, stderr, rows: lines.map((line) => line.split(/ {2,}/)) };
}

async function ended(...args: readonly string[]) {
  await using command = podcapCli(...args);
  const { code, stdout, stderr } = await command.ended;
  return { code, stderr, stdout: stdout.toString() };
}

test('a row for each Pod of both Nodes, with the reason of the one that is refused', async ({
  namespace,
}) => {
  const { code, stderr, rows } = await listed('-n', namespace);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(rows.map((row) => row.slice(0, 3))).toEqual([
    ['NAME', 'NODE', 'STATE'],
    ['refused', 'node2', 'Refused:InvalidFilter'],
    ['running', 'node1', 'Capturing'],
    ['stopped', 'node2', 'Paused'],
  ]);
  expect(rows.map((row) => row.length)).toEqual([12, 12, 12, 12]);
});

test('sorted by a column or a field, and selected by a label of the Pod', async ({ namespace }) => {
  const names = async (...args: readonly string[]) =>
    (await listed('-n', namespace, ...args)).rows.slice(1).map(([name]) => name);
  expect(await names('--sort-by', 'state')).toEqual(['running', 'stopped', 'refused']);
  expect(await names('--sort-by', '{.status.recordings[0].node}')).toEqual(['running', 'refused', 'stopped']);
  expect(await names('-l', 'app=web')).toEqual(['refused']);
});

test('names are targets of other commands, and json is the object of the API', async ({ namespace }) => {
  const { stdout } = await ended('list', '-n', namespace, '-o', 'name');
  expect(stdout).toBe('capture.podcap.dev/refused\ncapture.podcap.dev/running\ncapture.podcap.dev/stopped\n');
  const { stdout: json } = await ended('list', '-n', namespace, 'capture.podcap.dev/running', '-o', 'json');
  expect(JSON.parse(json)).toMatchObject({ kind: 'Capture', metadata: { name: 'running', namespace } });
});

test('all namespaces, and a Pod without a capture', async ({ namespace }) => {
  const { rows } = await listed('-A');
  expect(rows[0]?.slice(0, 2)).toEqual(['NAMESPACE', 'NAME']);
  expect(rows.filter(([each]) => each === namespace)).toHaveLength(3);
  const one = await listed('-n', namespace, 'nobody');
  expect(one.code).toBe(1);
  expect(one.stderr).toContain(`kubectl podcap start nobody -n ${namespace} starts a capture`);
});

test('a user without rights reads what is missing', async ({ namespace }) => {
  const { code, stderr } = await listed('-n', namespace, '--as', 'nobody');
  expect(code).toBe(1);
  expect(stderr).toContain('User "nobody" cannot list resource "captures"');
  const checked = await ended('check', '-n', namespace, '--as', 'nobody');
  expect(checked.code).toBe(1);
  expect(checked.stdout).toMatch(/^ok {4}API {13}podcap[.]dev\/v1alpha1 is available$/m);
  expect(checked.stdout).toMatch(/^note {2}agents {10}not known to you: .*User "nobody" cannot list/m);
  expect(checked.stdout).toMatch(/^fix {3}list .* bind ClusterRole podcap-view to you there$/m);
});

test('check says that all is well but for the capture that is refused, and why', async ({ namespace }) => {
  const { code, stdout } = await ended('check', '-n', namespace);
  expect(code).toBe(1);
  const wrong = stdout.split('\n').filter((line) => line.startsWith('fix'));
  expect(wrong).toEqual([
    expect.stringMatching(/^fix {3}captures {8}refused: Refused \(InvalidFilter\): .*prt/),
  ]);
  expect(stdout).toMatch(/^ok {4}hub .* 2 of 2 replicas ready/m);
  expect(stdout).toMatch(/^ok {4}agents .* 2 of 2 Nodes ready/m);
});

test('a watch shows a capture that begins, and one whose files are gone', async ({ cluster, namespace }) => {
  await using watching = podcapCli('list', '-n', namespace, '--watch');
  const shows = (row: RegExp) =>
    until(() => row.test(watching.printed()), { what: `a row ${row.source}`, deadlineMs: 60_000 });
  await shows(/^stopped /m);
  await capturedPod(cluster, 'new');
  await shows(/^new +node1 +Capturing /m);
  await cluster.annotate('new', null);
  await shows(/^new +node1 +Gone /m);
  watching.interrupt();
  expect((await watching.ended).code).toBe(0);
  expect(watching.printed().match(/^NAME /gm)).toHaveLength(1);
});
