import { expect } from 'vitest';
import { readRequester } from '../src/agent/storage/requester.ts';
import { until } from '../src/base/until.ts';
import { namespacePolicies } from './support/capture-policies.ts';
import { test } from './support/cluster-test.ts';
import { waitForCaptureFolder } from './support/node-captures.ts';
import { idle } from './support/pod-manifests.ts';
import { waitForTcpdumps } from './support/pod-processes.ts';
import { kubectl } from './support/run-kubectl.ts';

const policyCount = 200;
const podCount = 40;

test(`of ${policyCount} policies, each of ${podCount} Pods is captured as the one of its label asks, and no agent lists them again`, async ({
  cluster,
}) => {
  const { client, namespace } = cluster;
  const policies = namespacePolicies(cluster);
  const nameOf = (at: number) => `many-${at % policyCount}`;
  for (let at = 0; at < policyCount; at += 1)
    await policies.create(nameOf(at), nameOf(at), { files: 1 + (at % 5) });
  const pods = Array.from({ length: podCount }, (_, at) => ({
    name: `pod-${at}`,
    node: at % 2 === 0 ? 'node1' : 'node2',
    labels: { app: nameOf(at) },
  }));
  await Promise.all(pods.map((pod) => cluster.create(idle(pod))));
  const running = await Promise.all(pods.map(({ name }) => cluster.running(name)));
  const before = await policyLists();

  async function areCapturedBy(policyOf: (pod: number) => number): Promise<void> {
    for (const [at, pod] of running.entries()) {
      const folder = await waitForCaptureFolder(pod);
      const policy = nameOf(policyOf(at));
      await until(async () => (await readRequester(folder)).policy === policy, {
        what: `${pod.name} to be captured by ${policy}`,
        deadlineMs: 30_000,
      });
    }
  }

  await areCapturedBy((pod) => pod);
  for (const shift of [40, 80, 190]) {
    await Promise.all(
      pods.map(({ name }, at) =>
        client.patch({
          path: `/api/v1/namespaces/${namespace}/pods/${name}`,
          body: { metadata: { labels: { app: nameOf(at + shift) } } },
        }),
      ),
    );
    await areCapturedBy((pod) => pod + shift);
  }
  await waitForTcpdumps(running);

  await policies.delete(nameOf(190));
  await waitForTcpdumps(running.slice(0, 1), { count: 0 });
  await waitForTcpdumps(running.slice(1));
  expect(await policyLists()).toBe(before);
});

/** How often CapturePolicies of all namespaces were listed since the API server started. */
async function policyLists(): Promise<number> {
  return (await kubectl('get', '--raw', '/metrics'))
    .split('\n')
    .filter((line) => line.startsWith('apiserver_request_total{') && line.includes('="capturepolicies"'))
    .filter((line) => line.includes('verb="LIST"') && line.includes('scope="cluster"'))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
