import { setTimeout as sleep } from 'node:timers/promises';
import type { HostReceiver } from '../end-to-end/support/host-receiver.ts';
import { kubectl } from '../end-to-end/support/kubectl.ts';
import { sender } from '../end-to-end/support/pod-manifests.ts';
import type { TestCluster } from '../end-to-end/support/test-cluster.ts';
import { captureAnnotation } from '../src/agent/planner/annotations.ts';
import { ApiError } from '../src/kubernetes/api-error.ts';
import { until } from '../src/testbed/until.ts';
import { strike } from './faults.ts';
import type { Life } from './observation.ts';
import { isFault, type Operation, type WantedCapture } from './operations.ts';

/** Carries out operations on the cluster, and knows every life of every Pod. */
export type Executor = {
  /** Resolves when it is done; the agents may need longer to follow. */
  readonly carryOut: (operation: Operation) => Promise<void>;
  readonly lives: () => readonly Life[];
  /** Everything has settled: from now on only what is wanted now counts, and Pods that have ended are forgotten. */
  readonly settled: () => void;
};

/** Nodes are slow to start a Pod while their containerd is being killed. */
const patienceMs = 240_000;

export function executor(cluster: TestCluster, receiver: HostReceiver): Executor {
  const { address: to, port } = receiver;
  const lives = new Map<string, Life>();
  let ended: Life[] = [];

  function lifeOf(pod: string): Life {
    const life = lives.get(pod);
    if (!life) throw new Error(`no Pod ${pod}`);
    return life;
  }

  function want(pod: string, wantedFiles: number | undefined): void {
    const life = lifeOf(pod);
    lives.set(pod, {
      ...life,
      wantedFiles,
      mostFiles: Math.max(life.mostFiles, wantedFiles ?? 0),
      wasEverWanted: life.wasEverWanted || wantedFiles !== undefined,
    });
  }

  async function create({ pod: name, node, files }: WantedCapture & { kind: 'create' }): Promise<void> {
    const annotation = files === undefined ? {} : { annotation: String(files) };
    const traffic = { to, port, rate: 100, bytes: 1_000, renumbers: true };
    await persist(
      () => cluster.create(sender({ name, node, ...annotation, ...traffic })).catch(ignoreExisting),
      `${name} to be made`,
    );
    const { uid } = await persist(() => cluster.running(name), `${name} to run`);
    const life = { name, uid, node, lives: true, wantedFiles: files, mostFiles: files ?? 0 };
    lives.set(name, { ...life, wasEverWanted: files !== undefined });
  }

  async function remove({ pod, force }: WantedCapture & { kind: 'delete' }): Promise<void> {
    const how = force ? ['--grace-period=0', '--force'] : ['--grace-period=1'];
    const args = ['-n', cluster.namespace, 'delete', 'pod', pod, '--ignore-not-found', '--wait=true', ...how];
    await persist(() => kubectl(...args), `${pod} to be deleted`);
    ended.push({ ...lifeOf(pod), lives: false, wantedFiles: undefined });
    lives.delete(pod);
  }

  async function annotate(pod: string, files: number | undefined): Promise<void> {
    // Known before it is so: what an agent does then was wanted.
    if (files !== undefined) want(pod, files);
    const value = files === undefined ? null : String(files);
    await persist(() => cluster.annotate(pod, value), `${pod} to be annotated`);
    want(pod, files);
  }

  async function set(pod: string, annotations: Readonly<Record<string, string>>): Promise<void> {
    await persist(
      () => cluster.annotate(pod, annotations),
      `${Object.keys(annotations).join()} of ${pod} to be set`,
    );
  }

  async function fulfil(wish: WantedCapture): Promise<void> {
    switch (wish.kind) {
      case 'create':
        return await create(wish);
      case 'delete':
        return await remove(wish);
      case 'annotate':
        return await annotate(wish.pod, wish.files);
      case 'unannotate':
        return await annotate(wish.pod, undefined);
      case 'flap':
        want(wish.pod, wish.files);
        for (let i = 0; i < wish.times; i += 1) {
          await persist(
            () => cluster.annotate(wish.pod, { [captureAnnotation]: null }),
            'an annotation to go',
          );
          await persist(() => cluster.annotate(wish.pod, String(wish.files)), 'an annotation to come');
        }
        return;
      case 'snaplen':
        return await set(wish.pod, { 'podcap.dev/snaplen': String(wish.bytes) });
      case 'filter':
        return await set(wish.pod, { 'podcap.dev/filter': wish.filter });
    }
  }

  return {
    carryOut: (operation) => (isFault(operation) ? strike(operation, lifeOf) : fulfil(operation)),
    lives: () => [...lives.values(), ...ended],
    settled() {
      ended = [];
      for (const [pod, life] of lives) lives.set(pod, { ...life, mostFiles: life.wantedFiles ?? 0 });
    },
  };
}

/** Again, while the API server is away or says that it is not its turn; what was done already is done. */
async function persist<T>(work: () => Promise<T>, what: string): Promise<T> {
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
    { what, deadlineMs: patienceMs },
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; the last answer: ${String(last)}`, { cause: last });
  });
  return done.value;
}

function isFinal({ status }: ApiError): boolean {
  return status !== undefined && status < 500 && status !== 429;
}

/** The answer to the first try was lost. */
function ignoreExisting(error: unknown): void {
  if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
}
