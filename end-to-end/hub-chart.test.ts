import { afterAll, beforeAll, expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { chartRelease } from './support/chart-release.ts';
import { test } from './support/cluster-test.ts';
import {
  deleteNamespaceAtOnce,
  hubIsGone,
  hubServes,
  registeredHub,
  scaleDeployedHub,
} from './support/registered-hub.ts';
import { kubectl } from './support/run-kubectl.ts';

const release = 'second-podcap';
const hub = `${release}-hub`;

// A cluster has one hub's API: that of `make deploy` makes way for the releases of these tests.
beforeAll(() => scaleDeployedHub(0), 120_000);
afterAll(() => scaleDeployedHub(2), 180_000);

test('scaled to no replicas, the hub takes its API back, and a namespace can be deleted', async ({
  cluster,
}) => {
  await deleteNamespaceAtOnce(`${cluster.namespace}-scaled`);
  await scaleDeployedHub(1);
  await scaleDeployedHub(0);
  await deleteNamespaceAtOnce(`${cluster.namespace}-again`);
});

// Without the hub, the chart renders what it did before there was one (deploy/chart.integration.test.ts).
test('an upgrade from the chart without a hub brings it, another upgrade keeps its authority, and uninstalling leaves neither API nor Secret', async ({
  cluster,
}) => {
  const { namespace } = cluster;
  await using installed = chartRelease(cluster, release);
  await installed.install('--set', 'hub.enabled=false');
  expect(await hubObjects(namespace)).toEqual([]);

  await installed.upgrade('--set', 'hub.enabled=true');
  await hubServes(hub);
  await kubectl('get', 'captures', '--all-namespaces');
  const authority = await authorityOf(namespace);
  await deleteNamespaceAtOnce(`${namespace}-upgraded`);

  await installed.upgrade('--set', 'hub.enabled=true,hub.settings.logLevel=debug');
  await hubServes(hub);
  expect(await authorityOf(namespace)).toEqual(authority);
  await deleteNamespaceAtOnce(`${namespace}-upgraded-again`);

  await installed.uninstall();
  await hubIsGone();
  await deleteNamespaceAtOnce(`${namespace}-uninstalled`);
  await until(async () => (await hubObjects(namespace)).length === 0, {
    what: 'every object of the hub to be deleted',
    deadlineMs: 60_000,
  });
});

test('an upgrade that leaves the hub out removes its API', async ({ cluster }) => {
  await using installed = chartRelease(cluster, release);
  await installed.install();
  await hubServes(hub);
  await installed.upgrade('--set', 'hub.enabled=false');
  await hubIsGone();
  await deleteNamespaceAtOnce(`${cluster.namespace}-without`);
});

test("another release's hub leaves the API alone, says so, and takes it once it is free", async ({
  cluster,
}) => {
  await scaleDeployedHub(1);
  await using installed = chartRelease(cluster, release);
  await installed.install();
  const log = () => kubectl('-n', cluster.namespace, 'logs', '-l', 'app=packet-capture-hub', '--tail=-1');
  await until(async () => (await log()).includes('another hub has registered it'), {
    what: 'the hub to say that the API is taken',
    deadlineMs: 60_000,
    everyMs: 500,
  });
  await hubServes('podcap-hub');
  await kubectl('-n', 'kube-system', 'scale', 'deployment/podcap-hub', '--replicas=0');
  await hubServes(hub);
});

/** The certificates and keys that the hub has made, and what it publishes. */
async function authorityOf(
  namespace: string,
): Promise<{ readonly secret: string; readonly published: string }> {
  const data = ['-n', namespace, 'get', '-o', 'jsonpath={.data}'];
  const secret = await kubectl(...data, `secret/${hub}`);
  const published = await kubectl(...data, `configmap/${hub}-ca`);
  expect(secret).toContain('ca.key');
  expect(published).toContain('BEGIN CERTIFICATE');
  return { secret, published };
}

/** All objects of the release that are the hub's, whichever namespace they are in. */
async function hubObjects(namespace: string): Promise<string[]> {
  const kinds = [
    'deployments,pods,services,secrets,configmaps,serviceaccounts,poddisruptionbudgets',
    'roles,rolebindings,clusterroles,clusterrolebindings',
  ];
  const get = ['get', kinds.join(','), '-o', 'name'];
  const label = ['-l', `app.kubernetes.io/instance=${release}`];
  const names = [
    await kubectl('-n', namespace, ...get, ...label),
    await kubectl('-n', 'kube-system', 'get', 'rolebindings', '-o', 'name', ...label),
    await registeredHub(),
  ];
  return names
    .join('\n')
    .split('\n')
    .filter((name) => /hub|view|download|tap|link|apiservice/.test(name));
}
