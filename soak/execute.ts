import { setTimeout as sleep } from 'node:timers/promises';
import type { HostReceiver } from '../end-to-end/support/host-receiver.ts';
import { sender } from '../end-to-end/support/pod-manifests.ts';
import { kubectl } from '../end-to-end/support/run-kubectl.ts';
import type { TestCluster } from '../end-to-end/support/test-cluster.ts';
import { captureAnnotation } from '../src/agent/planner/annotations.ts';
import { until } from '../src/base/until.ts';
import { ApiError } from '../src/kubernetes/api-error.ts';
import { inject } from './faults.ts';
import type { SoakPod } from './observation.ts';
import { isFault, type Operation, type PodChange } from './operations.ts';

/** Carries out operations on the cluster, and knows every Pod that they have created. */
export type Executor = {
  /** Resolves when the operation is done; the agents may need longer to follow. */
  readonly execute: (operation: Operation) => Promise<void>;
  readonly pods: () => readonly SoakPod[];
  /** Call it when everything has settled: forgets what was desired before, and Pods that were deleted. */
  readonly settled: () => void;
};

/** A Node starts a Pod slowly while its containerd is being killed. */
const deadlineMs = 240_000;

/** An executor whose Pods are in the cluster's namespace and send to `receiver`. */
export function executor(cluster: TestCluster, receiver: HostReceiver): Executor {
  const { address: to, port } = receiver;
  const pods = new Map<string, SoakPod>();
  let deleted: SoakPod[] = [];

  function podNamed(name: string): SoakPod {
    const pod = pods.get(name);
    if (!pod) throw new Error(`no Pod ${name}`);
    return pod;
  }

  function setDesired(name: string, desiredFiles: number | undefined): void {
    const pod = podNamed(name);
    pods.set(name, {
      ...pod,
      desiredFiles,
      maxDesiredFiles: Math.max(pod.maxDesiredFiles, desiredFiles ?? 0),
      wasEverAnnotated: pod.wasEverAnnotated || desiredFiles !== undefined,
    });
  }

  async function create({ pod: name, node, files }: PodChange & { kind: 'create' }): Promise<void> {
    const annotation = files === undefined ? {} : { annotation: String(files) };
    const traffic = { to, port, rate: 100, bytes: 1_000, renumbers: true };
    await retry(
      () => cluster.create(sender({ name, node, ...annotation, ...traffic })).catch(ignoreExisting),
      `${name} to be created`,
    );
    const { uid } = await retry(() => cluster.running(name), `${name} to run`);
    const desired = {
      desiredFiles: files,
      maxDesiredFiles: files ?? 0,
      wasEverAnnotated: files !== undefined,
    };
    pods.set(name, { name, uid, node, exists: true, ...desired });
  }

  async function remove({ pod, force }: PodChange & { kind: 'delete' }): Promise<void> {
    const how = force ? ['--grace-period=0', '--force'] : ['--grace-period=1'];
    const args = ['-n', cluster.namespace, 'delete', 'pod', pod, '--ignore-not-found', '--wait=true', ...how];
    await retry(() => kubectl(...args), `${pod} to be deleted`);
    deleted.push({ ...podNamed(pod), exists: false, desiredFiles: undefined });
    pods.delete(pod);
  }

  async function annotate(pod: string, files: number | undefined): Promise<void> {
    // Before the request, too: what an agent does because of it is desired.
    if (files !== undefined) setDesired(pod, files);
    const value = files === undefined ? null : String(files);
    await retry(() => cluster.annotate(pod, value), `${pod} to be annotated`);
    setDesired(pod, files);
  }

  async function flap({ pod, files, times }: PodChange & { kind: 'flap' }): Promise<void> {
    setDesired(pod, files);
    for (let i = 0; i < times; i += 1) {
      await retry(() => cluster.annotate(pod, { [captureAnnotation]: null }), 'an annotation to be removed');
      await retry(() => cluster.annotate(pod, String(files)), 'an annotation to be set');
    }
  }

  async function set(pod: string, annotations: Readonly<Record<string, string>>): Promise<void> {
    await retry(
      () => cluster.annotate(pod, annotations),
      `${Object.keys(annotations).join()} of ${pod} to be set`,
    );
  }

  async function apply(change: PodChange): Promise<void> {
    switch (change.kind) {
      case 'create':
        return await create(change);
      case 'delete':
        return await remove(change);
      case 'annotate':
        return await annotate(change.pod, change.files);
      case 'unannotate':
        return await annotate(change.pod, undefined);
      case 'flap':
        return await flap(change);
      case 'snaplen':
        return await set(change.pod, { 'podcap.dev/snaplen': String(change.bytes) });
      case 'filter':
        return await set(change.pod, { 'podcap.dev/filter': change.filter });
      case 'hostileFilter':
        await set(change.pod, { 'podcap.dev/filter': change.filter });
        await sleep(change.ms);
        return await set(change.pod, { 'podcap.dev/filter': change.after });
    }
  }

  return {
    execute: (operation) => (isFault(operation) ? inject(operation, podNamed) : apply(operation)),
    pods: () => [...pods.values(), ...deleted],
    settled() {
      deleted = [];
      for (const [name, pod] of pods) pods.set(name, { ...pod, maxDesiredFiles: pod.desiredFiles ?? 0 });
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
