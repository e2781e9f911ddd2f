import { setTimeout as sleep } from 'node:timers/promises';
import { policiesPath, policyManifest } from '../end-to-end/support/capture-policies.ts';
import type { HostReceiver } from '../end-to-end/support/host-receiver.ts';
import { sender } from '../end-to-end/support/pod-manifests.ts';
import { kubectl } from '../end-to-end/support/run-kubectl.ts';
import type { TestCluster } from '../end-to-end/support/test-cluster.ts';
import {
  captureAnnotation,
  filterAnnotation,
  freezeAnnotation,
  interfaceAnnotation,
  snaplenAnnotation,
} from '../src/agent/planner/annotations.ts';
import { until } from '../src/base/until.ts';
import { ApiError } from '../src/kubernetes/api-error.ts';
import type { Label, PodChange, PolicyChange } from './operations.ts';

/** Carries out what users do. Resolves when the API server has it; the agents may need longer to follow. */
export type Users = {
  /** Returns the UID of the Pod. */
  readonly create: (change: PodChange & { readonly kind: 'create' }) => Promise<string>;
  readonly changePod: (change: Exclude<PodChange, { readonly kind: 'create' }>) => Promise<void>;
  readonly changePolicy: (change: PolicyChange) => Promise<void>;
};

/** A Node starts a Pod slowly while its containerd is being killed. */
const deadlineMs = 240_000;
const pausedAnnotation = 'podcap.dev/paused';
const policyName = 'soak';

/** The users of the cluster's namespace. Its Pods send to `receiver`, and to themselves on lo. */
export function usersOf(cluster: TestCluster, { address: to, port }: HostReceiver): Users {
  const { client, namespace } = cluster;

  async function set(pod: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
    const what = `${Object.keys(annotations).join()} of ${pod} to be set`;
    await retry(() => cluster.annotate(pod, annotations), what);
  }

  async function flap({ pod, files, times }: PodChange & { kind: 'flap' }): Promise<void> {
    for (let i = 0; i < times; i += 1) {
      await set(pod, { [captureAnnotation]: null });
      await set(pod, { [captureAnnotation]: String(files) });
    }
  }

  async function setLabel(pod: string, label: Label): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/pods/${pod}`;
    const body = { metadata: { labels: { app: label } } };
    await retry(() => client.patch({ path, body }), `${pod} to be labelled`);
  }

  async function remove({ pod, force }: PodChange & { kind: 'delete' }): Promise<void> {
    const how = force ? ['--grace-period=0', '--force'] : ['--grace-period=1'];
    const args = ['-n', namespace, 'delete', 'pod', pod, '--ignore-not-found', '--wait=true', ...how];
    await retry(() => kubectl(...args), `${pod} to be deleted`);
  }

  async function applyPolicy({ files, isPaused, label }: PolicyChange & { kind: 'applyPolicy' }) {
    const path = policiesPath(namespace);
    const spec = { selector: { matchLabels: { app: label } }, files, paused: isPaused };
    await retry(async () => {
      await client.create({ path, body: policyManifest(policyName, spec) }).catch(ignoreExisting);
      await client.patch({ path: `${path}/${policyName}`, body: { spec } });
    }, 'the policy to be applied');
  }

  return {
    async create({ pod: name, node, label, files, freezesOnRestart }) {
      const annotations = {
        ...(files !== undefined && { [captureAnnotation]: String(files) }),
        ...(freezesOnRestart && { 'podcap.dev/freeze-on': 'restart', 'podcap.dev/freeze-after': '1s' }),
      };
      const traffic = { to, port, rate: 100, bytes: 1_000, renumbers: true, alsoOnLo: true };
      const manifest = sender({ name, node, annotations, labels: { app: label }, ...traffic });
      await retry(() => cluster.create(manifest).catch(ignoreExisting), `${name} to be created`);
      return (await retry(() => cluster.running(name), `${name} to run`)).uid;
    },
    async changePod(change) {
      const { pod } = change;
      switch (change.kind) {
        case 'delete':
          return await remove(change);
        case 'annotate':
          return await set(pod, { [captureAnnotation]: String(change.files) });
        case 'unannotate':
          return await set(pod, { [captureAnnotation]: null });
        case 'flap':
          return await flap(change);
        case 'label':
          return await setLabel(pod, change.label);
        case 'freeze':
          return await set(pod, { [freezeAnnotation]: change.text });
        case 'pause':
          return await set(pod, { [pausedAnnotation]: 'true' });
        case 'resume':
          return await set(pod, { [pausedAnnotation]: null });
        case 'interfaces':
          return await set(pod, { [interfaceAnnotation]: change.withLo ? 'eth0,lo' : null });
        case 'snaplen':
          return await set(pod, { [snaplenAnnotation]: String(change.bytes) });
        case 'filter':
          return await set(pod, { [filterAnnotation]: change.filter });
        case 'hostileFilter':
          await set(pod, { [filterAnnotation]: change.filter });
          await sleep(change.ms);
          return await set(pod, { [filterAnnotation]: change.after });
      }
    },
    async changePolicy(change) {
      switch (change.kind) {
        case 'applyPolicy':
          return await applyPolicy(change);
        case 'deletePolicy': {
          const args = ['-n', namespace, 'delete', 'capturepolicy', policyName, '--ignore-not-found'];
          await retry(() => kubectl(...args), 'the policy to be deleted');
        }
      }
    },
  };
}

/** Retries while the API server is unavailable or overloaded, until the deadline; any other refusal is thrown. */
async function retry<T>(work: () => Promise<T>, what: string): Promise<T> {
  let last: unknown;
  const done = await until(
    async () => {
      try {
        return { value: await work() };
      } catch (error) {
        if (error instanceof ApiError && isFinal(error)) throw error;
        last = error;
        await sleep(500);
        return undefined;
      }
    },
    { what, deadlineMs },
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; the last answer: ${String(last)}`, { cause: last });
  });
  return done.value;
}

function isFinal({ status }: ApiError): boolean {
  return status !== undefined && status < 500 && status !== 429;
}

/** An earlier try has created it, and its answer was lost. */
function ignoreExisting(error: unknown): void {
  if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
}
