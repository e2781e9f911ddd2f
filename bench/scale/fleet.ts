import { randomBytes } from 'node:crypto';
import { policiesPath, policyManifest } from '../../end-to-end/support/capture-policies.ts';
import { kubectl } from '../../end-to-end/support/run-kubectl.ts';
import type { KubernetesClient } from '../../src/kubernetes/client.ts';

/** Nodes, Pods and CapturePolicies that exist only as objects in the API server. */
export type Fleet = AsyncDisposable & {
  readonly nodes: readonly string[];
  /** Changes an annotation of one Pod; both numbers are indexes. */
  readonly changePod: (node: number, pod: number) => Promise<void>;
  /** Changes one policy. */
  readonly changePolicy: (policy: number) => Promise<void>;
};

export type FleetSize = {
  readonly nodes: number;
  readonly podsPerNode: number;
  readonly policies: number;
};

/** How many requests are in flight at a time. */
const concurrency = 20;

/** Creates the Nodes and Pods; they are deleted when the fleet is disposed of. */
export async function makeFleet(
  client: KubernetesClient,
  { nodes: count, podsPerNode, policies }: FleetSize,
): Promise<Fleet> {
  const fleet = `fleet-${randomBytes(4).toString('hex')}`;
  await using opening = new AsyncDisposableStack();
  opening.defer(() => remove(fleet));
  await client.create({ path: '/api/v1/namespaces', body: { metadata: { name: fleet } } });
  const nodes = Array.from({ length: count }, (_, i) => `${fleet}-${i}`);
  await forEach(nodes, async (name) => {
    await client.create({ path: '/api/v1/nodes', body: nodeObject(fleet, name) });
  });
  const pods = nodes.flatMap((node, i) =>
    Array.from({ length: podsPerNode }, (_, j) => ({ node, name: podName(i, j) })),
  );
  await forEach(pods, async ({ node, name }) => {
    await client.create({ path: `/api/v1/namespaces/${fleet}/pods`, body: podObject(node, name) });
  });
  await forEach([...Array(policies).keys()], async (i) => {
    // No Pod has this label: the agents of the cluster capture none of the fleet.
    const spec = {
      selector: { matchLabels: { app: `none-${i}`, team: 'shop' } },
      files: 5,
      filter: 'tcp port 80',
    };
    await client.create({ path: policiesPath(fleet), body: policyManifest(`policy-${i}`, spec) });
  });
  const opened = opening.move();
  let changes = 0;
  return {
    nodes,
    async changePod(node, pod) {
      changes += 1;
      await client.patch({
        path: `/api/v1/namespaces/${fleet}/pods/${podName(node, pod)}`,
        body: { metadata: { annotations: { change: String(changes) } } },
      });
    },
    async changePolicy(policy) {
      changes += 1;
      const path = `${policiesPath(fleet)}/policy-${policy % policies}`;
      // Never what it is already: a patch that changes nothing reaches no watch.
      await client.patch({ path, body: { spec: { files: 6 + (changes % 90) } } });
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

const podName = (node: number, pod: number) => `pod-${node}-${pod}`;

/** Deletes the Pods without a grace period, because no kubelet reports that they have ended. */
async function remove(fleet: string): Promise<void> {
  await kubectl('delete', '--raw', `/api/v1/namespaces/${fleet}/pods?gracePeriodSeconds=0`);
  await kubectl('delete', '--raw', `/api/v1/nodes?labelSelector=fleet%3D${fleet}`);
  await kubectl('delete', 'namespace', fleet, '--wait=false');
}

async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const remaining = [...items];
  const worker = async () => {
    for (let item = remaining.pop(); item !== undefined; item = remaining.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

/** Has no label kubernetes.io/os, so that DaemonSets ignore the Node, and a taint against the scheduler. */
function nodeObject(fleet: string, name: string): object {
  return {
    metadata: { name, labels: { fleet } },
    spec: { taints: [{ key: 'fleet', effect: 'NoSchedule' }] },
  };
}

/** As large as a usual Pod, about 4 kB. It tolerates everything, so it stays although its Node is never ready. */
function podObject(node: string, name: string): object {
  const env = Array.from({ length: 12 }, (_, i) => ({
    name: `VARIABLE_OF_THE_APPLICATION_${i}`,
    value: `value-${i}-that-is-as-long-as-the-address-of-a-service`,
  }));
  const probe = { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 10 };
  return {
    metadata: {
      name,
      labels: { app: 'web', 'pod-template-hash': '5d4f8c7b9d', tier: 'frontend', team: 'shop' },
      annotations: { 'example.com/config-hash': 'a'.repeat(64) },
    },
    spec: {
      nodeName: node,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'main',
          image: 'registry.example/shop/web:1.2.3',
          env,
          ports: [{ containerPort: 8080 }],
          resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '64Mi' } },
          livenessProbe: probe,
          readinessProbe: probe,
        },
      ],
    },
  };
}
