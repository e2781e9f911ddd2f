import * as v from 'valibot';
import { captureAnnotation } from '../../src/agent/planner/annotations.ts';
import { until } from '../../src/base/until.ts';
import { ApiError } from '../../src/kubernetes/api-error.ts';
import type { KubernetesClient } from '../../src/kubernetes/client.ts';
import type { PodManifest } from './pod-manifests.ts';
import { kubectl } from './run-kubectl.ts';

/** A Pod that ran when it was last looked up. */
export type RunningPod = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly ip: string;
  readonly node: string;
};

/** Numbered datagrams: `count` of them from `first` on, each with `bytes` bytes of payload. */
export type PodDatagrams = {
  readonly to: string;
  readonly port: number;
  readonly first?: number;
  readonly count: number;
  readonly bytes?: number;
};

/** The Pods of one namespace, by name. */
export type NamespacePods = {
  readonly create: (pod: PodManifest) => Promise<void>;
  /** Waits until that Pod runs. */
  readonly running: (name: string) => Promise<RunningPod>;
  /** Creates a Pod and waits until it runs. */
  readonly start: (pod: PodManifest) => Promise<RunningPod>;
  /** Waits until that Pod has a Node: for a Pod that may end before it is seen to run. */
  readonly scheduled: (name: string) => Promise<Pick<RunningPod, 'name' | 'uid' | 'node'>>;
  /** Sets annotations, null removes one. A string or null stands for the capture annotation. */
  readonly annotate: (
    name: string,
    value: string | null | Readonly<Record<string, string | null>>,
  ) => Promise<void>;
  /** Sends datagrams from within that Pod; a port without a listener works too. */
  readonly send: (name: string, datagrams: PodDatagrams) => Promise<void>;
  /** Runs a command in that Pod and returns its standard output. */
  readonly exec: (name: string, ...command: readonly string[]) => Promise<string>;
  /** Deletes that Pod and waits until it is gone. */
  readonly delete: (name: string, ...options: readonly string[]) => Promise<void>;
};

/** Pods are created, changed and deleted with the rights of `client`. */
export function namespacePods(client: KubernetesClient, namespace: string): NamespacePods {
  const path = `/api/v1/namespaces/${namespace}/pods`;

  async function create(pod: PodManifest): Promise<void> {
    await client.create({ path, body: pod });
  }

  async function current(name: string) {
    return v.parse(podSchema, await client.get({ path: `${path}/${name}` }));
  }

  async function running(name: string): Promise<RunningPod> {
    return await until(
      async () => {
        const pod = await unlessMissing(current(name));
        if (!pod) return undefined;
        const { metadata, spec, status } = pod;
        const { podIP: ip, phase } = status;
        if (phase !== 'Running' || !ip || !spec.nodeName) return undefined;
        return { namespace, name, uid: metadata.uid, ip, node: spec.nodeName };
      },
      { what: `${name} to run`, deadlineMs: 60_000 },
    );
  }

  async function exec(name: string, ...command: readonly string[]): Promise<string> {
    return await kubectl('-n', namespace, 'exec', name, '--', ...command);
  }

  return {
    create,
    running,
    async start(pod) {
      await create(pod);
      return await running(pod.metadata.name);
    },
    async scheduled(name) {
      return await until(
        async () => {
          const { metadata, spec } = await current(name);
          return spec.nodeName !== undefined && { name, uid: metadata.uid, node: spec.nodeName };
        },
        { what: `${name} to have a Node`, deadlineMs: 30_000 },
      );
    },
    async annotate(name, value) {
      const annotations =
        value === null || typeof value === 'string' ? { [captureAnnotation]: value } : value;
      await client.patch({ path: `${path}/${name}`, body: { metadata: { annotations } } });
    },
    async send(name, datagrams) {
      await exec(name, 'bash', '-c', sendScript(datagrams));
    },
    exec,
    async delete(name, ...options) {
      await kubectl('-n', namespace, 'delete', 'pod', name, '--wait=true', ...options);
    },
  };
}

/** The mirror Pod of a static Pod appears some time after its manifest. */
async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** For bash. When a datagram is refused, the write of the next one fails and sends nothing: it is written again. */
function sendScript({ to, port, first = 0, count, bytes = 100 }: PodDatagrams): string {
  return `
    exec 3>/dev/udp/${to}/${port}
    for ((n = ${first}; n < ${first + count}; n++)); do
      printf -v padded '%-${bytes}s' "seq=$n"
      datagram=\${padded// /.}
      printf %s "$datagram" >&3 || printf %s "$datagram" >&3
    done 2>/dev/null`;
}

const podSchema = v.object({
  metadata: v.object({ uid: v.string() }),
  spec: v.object({ nodeName: v.optional(v.string()) }),
  status: v.object({ phase: v.optional(v.string()), podIP: v.optional(v.string()) }),
});
