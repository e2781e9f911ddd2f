import { expect } from 'vitest';
import { nodes } from '../cluster/layout.ts';
import { until } from '../src/base/until.ts';
import { execInAgent } from './support/agents.ts';
import { test } from './support/cluster-test.ts';
import { hubServes } from './support/registered-hub.ts';
import { kubectl } from './support/run-kubectl.ts';

const inNamespace = ['-n', 'kube-system'];

test('a damaged authority is replaced: API server and agents verify the next one, and no Pod restarts', async () => {
  const podsBefore = await hubPods();
  const damaged = { data: { 'ca.crt': Buffer.from('damaged').toString('base64') } };
  const before = await published();
  await kubectl(...inNamespace, 'patch', 'secret/podcap-hub', '--type=merge', '-p', JSON.stringify(damaged));
  await until(async () => (await published()) !== before, {
    what: 'the next authority to be published',
    deadlineMs: 60_000,
    everyMs: 200,
  });
  await until(async () => (await registered()) === (await published()), {
    what: 'the API server to know it',
    deadlineMs: 60_000,
    everyMs: 200,
  });
  await hubServes('podcap-hub');
  for (const { name } of nodes)
    await until(async () => (await links(name)) === podsBefore.length, {
      what: `the agent of ${name} to be connected to every replica`,
      deadlineMs: 60_000,
      everyMs: 500,
    });
  await until(() => kubectl('get', 'captures', '--all-namespaces').catch(() => undefined), {
    what: 'captures to be listed',
    deadlineMs: 30_000,
    everyMs: 200,
  });
  expect(await hubPods()).toEqual(podsBefore);
});

/** What agents verify the hub with. */
async function published(): Promise<string> {
  return await kubectl(
    ...inNamespace,
    'get',
    'configmap/podcap-hub-ca',
    '-o',
    String.raw`jsonpath={.data.ca\.crt}`,
  );
}

/** What the API server verifies it with. */
async function registered(): Promise<string> {
  const bundle = await kubectl('get', 'apiservice/v1alpha1.podcap.dev', '-o', 'jsonpath={.spec.caBundle}');
  return Buffer.from(bundle, 'base64').toString('utf8');
}

/** How many replicas the agent is connected to. */
async function links(node: string): Promise<number> {
  const script = 'fetch("http://127.0.0.1:9781/metrics").then((r) => r.text()).then((t) => console.log(t))';
  const metrics = await execInAgent(node, 'node', '-e', script);
  return Number(/^podcap_hub_links (\d+)$/m.exec(metrics)?.[1]);
}

/** Their names, with how often they were restarted. */
async function hubPods(): Promise<string[]> {
  const columns = 'custom-columns=:metadata.name,:status.containerStatuses[0].restartCount';
  const get = ['get', 'pods', '-l', 'app=packet-capture-hub', '--no-headers', '-o', columns];
  return (await kubectl(...inNamespace, ...get)).trim().split('\n').toSorted();
}
