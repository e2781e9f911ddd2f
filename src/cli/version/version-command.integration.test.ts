import { expect, test } from 'vitest';
import { type KubectlScene, kubectlScene, sendObject } from '../kubectl/testing/kubectl-scene.ts';
import { cliTerminal } from '../testing/cli-terminal.ts';
import { clientVersion } from './client-version.ts';
import { versionCommand } from './version-command.ts';

const metadata = {
  namespace: 'kube-system',
  name: 'podcap',
  labels: { 'app.kubernetes.io/version': '0.2.0' },
};

async function version({ kubectl }: Pick<KubectlScene, 'kubectl'>, flags: readonly string[] = []) {
  const screen = cliTerminal();
  const given = { positionals: [], flags: new Set(flags), values: new Map() };
  const context = { terminal: screen.terminal, kubectl, signal: new AbortController().signal };
  const code = await versionCommand.run(given, context);
  return { code, lines: screen.stdout().trimEnd().split('\n') };
}

const client = `kubectl podcap  ${clientVersion}, on Node.js ${process.versions.node}`;

test('the hub and the agents, as their objects describe them', async () => {
  await using scene = await kubectlScene(({ path }, response) => {
    const hub = {
      metadata: { ...metadata, name: 'podcap-hub' },
      spec: { replicas: 2 },
      status: { readyReplicas: 2, updatedReplicas: 2 },
    };
    const agents = {
      metadata,
      status: { numberReady: 2, desiredNumberScheduled: 3, updatedNumberScheduled: 1 },
    };
    sendObject(response, { items: [path.includes('/deployments?') ? hub : agents] });
  });
  const { code, lines } = await version(scene);
  expect(code).toBe(0);
  expect(lines).toEqual([
    client,
    expect.stringMatching(/^kubectl {9}v1\.\d+\.\d+$/),
    'hub             0.2.0: 2 of 2 replicas ready (kube-system/podcap-hub)',
    'agents          0.2.0: 2 of 3 Nodes ready, 2 of them still older (kube-system/podcap)',
  ]);
  expect(scene.requests.map(({ path }) => path).toSorted()).toEqual([
    '/apis/apps/v1/daemonsets?labelSelector=app.kubernetes.io%2Fname%3Dpodcap',
    '/apis/apps/v1/deployments?labelSelector=app.kubernetes.io%2Fname%3Dpodcap',
  ]);
});

test('a user who may not list them reads why', async () => {
  await using scene = await kubectlScene((_, response) => {
    const message = 'jane cannot list\u001b[2J resource "deployments"';
    sendObject(response, { kind: 'Status', reason: 'Forbidden', code: 403, message }, 403);
  });
  expect((await version(scene)).lines.at(-1)).toBe(
    String.raw`hub, agents     not known: jane cannot list\u001b[2J resource "deployments"`,
  );
});

test('a cluster without them', async () => {
  await using scene = await kubectlScene((_, response) => sendObject(response, { items: [] }));
  expect((await version(scene)).lines.slice(2)).toEqual([
    'hub             not installed',
    'agents          not installed',
  ]);
});

test('without kubectl, the version of the client', async () => {
  const kubectl = { program: 'kubectl', flags: [], namespace: undefined, env: { PATH: '/nowhere' } };
  const { code, lines } = await version({ kubectl });
  expect(code).toBe(0);
  expect(lines).toEqual([
    client,
    expect.stringContaining('hub, agents     not known: kubectl was not found in PATH'),
  ]);
});

test('--client asks nobody', async () => {
  const kubectl = { program: '/nowhere', flags: [], namespace: undefined, env: {} };
  expect((await version({ kubectl }, ['client'])).lines).toEqual([client]);
});
