import { expect, test } from 'vitest';
import { kubernetesClient } from '../kubernetes/client.ts';
import { apiServer, refusal, type ScriptedAnswer } from '../kubernetes/testing/api-server.ts';
import { isUninstalled } from './uninstall.ts';

const daemonSet = { namespace: 'kube-system', name: 'podcap' };
const found = (metadata: object): ScriptedAnswer => ({ kind: 'json', body: { metadata } });

test.each<[string, ScriptedAnswer, boolean]>([
  ['does not exist', refusal(404, 'NotFound'), true],
  ['is being deleted', found({ deletionTimestamp: '2026-01-01T00:00:00Z' }), true],
  ['exists', found({ name: 'podcap' }), false],
  ['cannot be read', refusal(403, 'Forbidden'), false],
  ['cannot be read through a proxy', { kind: 'json', status: 404, body: {} }, false],
  ['is not a DaemonSet', { kind: 'json', body: [] }, false],
  ['cannot be reached', { kind: 'cut' }, false],
])('if its DaemonSet $0, whether the agent is uninstalled is $2', async (_state, answer, expected) => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  server.script.read.push(answer, answer);
  expect(await isUninstalled(client, daemonSet)).toBe(expected);
  expect(server.requests.at(-1)?.path).toBe('/apis/apps/v1/namespaces/kube-system/daemonsets/podcap');
});

test('without a DaemonSet, nothing is requested', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  expect(await isUninstalled(client, undefined)).toBe(false);
  expect(server.requests).toEqual([]);
});
