import { randomBytes } from 'node:crypto';
import { nodes } from '../../cluster/layout.ts';
import { until } from '../../src/base/until.ts';
import { type KubernetesClient, kubernetesClient } from '../../src/kubernetes/client.ts';
import { kubeconfigConfig } from '../../src/kubernetes/client-config.ts';
import { type NamespaceEvents, namespaceEvents } from './namespace-events.ts';
import { type NamespacePods, namespacePods } from './namespace-pods.ts';
import { removeCaptures } from './node-captures.ts';
import { kubectl } from './run-kubectl.ts';

/** The cluster of this checkout, seen through a namespace of its own. Disposing deletes its Pods and their captures. */
export type TestCluster = NamespacePods &
  NamespaceEvents &
  AsyncDisposable & {
    /** With the rights of a cluster administrator. */
    readonly client: KubernetesClient;
    readonly namespace: string;
  };

/** The label that exempts a namespace from the policies of the deployed chart (deploy/values-cluster.yaml). */
const unguarded = { 'podcap-test': 'true' };

/** Creates the namespace, and waits until Pods can be created in it. */
export async function testCluster(): Promise<TestCluster> {
  const client = kubernetesClient(
    kubeconfigConfig(await kubectl('config', 'view', '--raw', '--flatten', '-o', 'json')),
  );
  const namespace = `test-${randomBytes(4).toString('hex')}`;
  const metadata = { name: namespace, labels: unguarded };
  await client.create({ path: '/api/v1/namespaces', body: { metadata } });
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
  await until(async () => (await client.get({ path }).catch(() => undefined)) !== undefined, {
    what: 'the ServiceAccount of the namespace',
  });
  return {
    client,
    namespace,
    ...namespacePods(client, namespace),
    ...namespaceEvents(client, namespace),
    async [Symbol.asyncDispose]() {
      // Once its Pods are deleted no packet is written any more; the namespace takes some seconds longer.
      await kubectl('-n', namespace, 'delete', 'pods', '--all', '--wait=true');
      await kubectl('delete', 'namespace', namespace, '--wait=false');
      await Promise.all(nodes.map(({ name }) => removeCaptures(name, namespace)));
      await client[Symbol.asyncDispose]();
    },
  };
}
