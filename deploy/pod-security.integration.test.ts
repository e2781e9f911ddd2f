import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { apiServer, type JsonAnswer, refusal } from '../src/kubernetes/testing/api-server.ts';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { template } from '../tools/manifests.ts';
import { helm } from './testing/render-chart.ts';

const standard = 'pod-security.kubernetes.io/enforce';

test.each(['baseline', 'restricted'])(
  'a namespace that enforces %s is refused before anything is installed, with the command that helps',
  async (level) => {
    const { code, output, isRead } = await renderFor(namespace({ [standard]: level }));
    expect({ code, isRead }).toEqual({ code: 1, isRead: true });
    expect(output).toContain(`The namespace recorder enforces the Pod Security Standard "${level}"`);
    expect(output).toContain(`kubectl label --overwrite namespace recorder ${standard}=privileged`);
  },
);

test.each([
  ['enforces privileged', namespace({ [standard]: 'privileged' })],
  ['only warns', namespace({ 'pod-security.kubernetes.io/warn': 'restricted' })],
  ['has no labels', namespace()],
  ['does not exist yet', refusal(404, 'NotFound')],
])('a namespace that %s is accepted', async (_what, answer) => {
  expect(await renderFor(answer)).toMatchObject({
    code: 0,
    output: expect.stringContaining('kind: DaemonSet'),
    isRead: true,
  });
});

test('without the check, the namespace is not read', async () => {
  const answer = namespace({ [standard]: 'baseline' });
  const rendered = await renderFor(answer, '--set', 'checkPodSecurity=false');
  expect(rendered).toMatchObject({
    code: 0,
    output: expect.stringContaining('kind: DaemonSet'),
    isRead: false,
  });
});

function namespace(labels?: Readonly<Record<string, string>>): JsonAnswer {
  const metadata = { name: 'recorder', ...(labels && { labels }) };
  return { kind: 'json', body: { kind: 'Namespace', apiVersion: 'v1', metadata } };
}

/** Renders the chart for the namespace `recorder`, which helm looks up at an API server with this answer. */
async function renderFor(answer: JsonAnswer, ...options: readonly string[]) {
  await using folder = await temporaryFolder();
  await using server = await apiServer();
  const resources = [{ name: 'namespaces', kind: 'Namespace', namespaced: false, verbs: ['get'] }];
  const discovery = { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: 'v1', resources };
  server.script.read.push({ kind: 'json', body: discovery }, answer);
  const ca = join(folder.path, 'ca.crt');
  await writeFile(ca, server.config.ca ?? '');
  const target = [
    '--kube-apiserver',
    server.config.server.href,
    '--kube-ca-file',
    ca,
    '--kube-token',
    'first',
  ];
  const dryRun = ['--namespace', 'recorder', '--dry-run=server'];
  const rendered = await helm([...template('podcap'), ...target, ...dryRun, ...options]);
  const isRead = server.requests.some(({ path }) => path === '/api/v1/namespaces/recorder');
  return { ...rendered, isRead };
}
