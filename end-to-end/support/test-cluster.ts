import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { checkoutFolders, machineFolder, nodeNamed, nodes } from '../../cluster/layout.ts';
import { captureAnnotation } from '../../src/agent/planner/annotations.ts';
import { parseFolderName, parseRingFile, type RingFile } from '../../src/agent/storage/file-names.ts';
import { orderByAge } from '../../src/agent/storage/ring-order.ts';
import { ifExists } from '../../src/base/fs-errors.ts';
import { ApiError } from '../../src/kubernetes/api-error.ts';
import { kubernetesClient } from '../../src/kubernetes/client.ts';
import { kubeconfigConfig } from '../../src/kubernetes/client-config.ts';
import { capturedNumbers } from '../../src/testbed/captured-numbers.ts';
import type { Argv } from '../../src/testbed/run-program.ts';
import { until } from '../../src/testbed/until.ts';
import { receiverPort } from './pod-manifests.ts';

const folders = checkoutFolders(join(import.meta.dirname, '../..'));
const kubectlPath = join(folders.bin, 'kubectl');
/** Two times the agent's --max-files. */
const wrapAfter = 200;

/** The cluster of cluster/, seen through a namespace that a test file has for itself. */
export type TestCluster = Awaited<ReturnType<typeof testCluster>>;

export type RunningPod = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly ip: string;
  readonly node: string;
};

/** Numbered, each with so many bytes of payload. */
export type PodDatagrams = {
  readonly to: string;
  readonly port?: number;
  readonly first?: number;
  readonly count: number;
  readonly bytes?: number;
};

/** Runs kubectl as a person would, and gives back what it printed. */
export async function kubectl(...args: readonly string[]): Promise<string> {
  const [program, ...all] = kubectlCommand(...args);
  const { stdout } = await promisify(execFile)(program, all, { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

export function kubectlCommand(...args: readonly string[]): Argv {
  return [kubectlPath, '--kubeconfig', folders.kubeconfig, ...args];
}

export async function testCluster() {
  const client = kubernetesClient(
    kubeconfigConfig(await kubectl('config', 'view', '--raw', '--flatten', '-o', 'json')),
  );
  const namespace = `test-${randomBytes(4).toString('hex')}`;
  await client.create({ path: '/api/v1/namespaces', body: { metadata: { name: namespace } } });
  await until(() => hasServiceAccount(), { what: 'the ServiceAccount of the namespace' });

  const podPath = (name: string) => `/api/v1/namespaces/${namespace}/pods/${name}`;

  async function hasServiceAccount(): Promise<boolean> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
    return (await client.get({ path }).catch(() => undefined)) !== undefined;
  }

  async function podNow(name: string) {
    return v.parse(podSchema, await client.get({ path: podPath(name) }));
  }

  async function running(name: string): Promise<RunningPod> {
    return await until(
      async () => {
        const now = await unlessMissing(podNow(name));
        if (!now) return undefined;
        const { metadata, spec, status } = now;
        const { podIP: ip, phase } = status;
        if (phase !== 'Running' || !ip || !spec.nodeName) return undefined;
        return { namespace, name, uid: metadata.uid, ip, node: spec.nodeName };
      },
      { what: `${name} to run`, deadlineMs: 60_000 },
    );
  }

  /** A Pod that may end before it is seen to run. */
  async function scheduled(name: string): Promise<Pick<RunningPod, 'name' | 'uid' | 'node'>> {
    return await until(
      async () => {
        const { metadata, spec } = await podNow(name);
        return spec.nodeName !== undefined && { name, uid: metadata.uid, node: spec.nodeName };
      },
      { what: `${name} to have a Node`, deadlineMs: 30_000 },
    );
  }

  async function exec(name: string, ...command: readonly string[]): Promise<string> {
    return await kubectl('-n', namespace, 'exec', name, '--', ...command);
  }

  async function events(uid: string) {
    const list = await client.get({
      path: `/api/v1/namespaces/${namespace}/events`,
      query: { fieldSelector: `involvedObject.uid=${uid}` },
    });
    return v.parse(eventsSchema, list).items;
  }

  return {
    client,
    namespace,
    running,
    scheduled,
    exec,
    async create(pod: object & { readonly metadata: { readonly name: string } }): Promise<void> {
      await client.create({ path: `/api/v1/namespaces/${namespace}/pods`, body: pod });
    },
    /** A text is the number of files; null removes an annotation. */
    async annotate(
      name: string,
      value: string | null | Readonly<Record<string, string | null>>,
    ): Promise<void> {
      const annotations =
        value === null || typeof value === 'string' ? { [captureAnnotation]: value } : value;
      await client.patch({ path: podPath(name), body: { metadata: { annotations } } });
    },
    /** Sends numbered datagrams from within that Pod; to a port where nobody listens, too. */
    async send(name: string, { to, port = receiverPort, first = 0, count, bytes = 100 }: PodDatagrams) {
      // The refusal of one datagram comes back as the error of the next, which is not sent then: so again.
      const script = `
        exec 3>/dev/udp/${to}/${port}
        for ((n = ${first}; n < ${first + count}; n++)); do
          printf -v padded '%-${bytes}s' "seq=$n"
          datagram=\${padded// /.}
          printf %s "$datagram" >&3 || printf %s "$datagram" >&3
        done 2>/dev/null`;
      await exec(name, 'bash', '-c', script);
    },
    async delete(name: string, ...options: readonly string[]): Promise<void> {
      await kubectl('-n', namespace, 'delete', 'pod', name, '--wait=true', ...options);
    },
    /** The Event of that reason about the Pod of that UID; of several the one whose message has that part. */
    async event(uid: string, reason: string, part = '') {
      const isIt = (event: { reason: string; message: string }) =>
        event.reason === reason && event.message.includes(part);
      return await until(async () => (await events(uid)).find(isIt), {
        what: `an Event ${reason} ${part}`,
        deadlineMs: 30_000,
      });
    },
    events,
    /** What a receiver (pod-manifests.ts) has heard so far. */
    async heard(receiver: string) {
      return v.parse(heardSchema, await client.get({ path: `${podPath(receiver)}:8080/proxy/` }));
    },
    async [Symbol.asyncDispose]() {
      // When its Pods are gone no packet is written any more; the namespace takes some seconds longer.
      await kubectl('-n', namespace, 'delete', 'pods', '--all', '--wait=true');
      await kubectl('delete', 'namespace', namespace, '--wait=false');
      await Promise.all(nodes.map(({ name }) => removeCaptures(name, namespace)));
      await client[Symbol.asyncDispose]();
    },
  };
}

/** The mirror of a static Pod comes some time after its manifest. */
async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

const podSchema = v.object({
  metadata: v.object({ uid: v.string() }),
  spec: v.object({ nodeName: v.optional(v.string()) }),
  status: v.object({ phase: v.optional(v.string()), podIP: v.optional(v.string()) }),
});

const eventsSchema = v.object({
  items: v.array(v.object({ type: v.string(), reason: v.string(), message: v.string() })),
});

const heardSchema = v.object({ last: v.number(), count: v.number() });

/** The name of the agent's Pod on that Node. */
export async function agentOn(node: string): Promise<string> {
  const selection = [
    '-l',
    'app=packet-capture',
    '--field-selector',
    `spec.nodeName=${node},status.phase=Running`,
  ];
  return await kubectl(
    '-n',
    'kube-system',
    'get',
    'pods',
    ...selection,
    '-o',
    'jsonpath={.items[0].metadata.name}',
  );
}

/** The folder of that Pod's captures on its Node, as seen from this machine; undefined if there is none. */
export async function captureFolder({
  uid,
  node,
}: Pick<RunningPod, 'uid' | 'node'>): Promise<string | undefined> {
  const root = capturesRoot(node);
  const names = (await ifExists(readdir(root))) ?? [];
  const name = names.find((folder) => parseFolderName(folder)?.uid === uid);
  return name === undefined ? undefined : join(root, name);
}

export function capturesRoot(node: string): string {
  return join(machineFolder(nodeNamed(node)), 'var/lib/podcap');
}

/** What stays on the Node after the Pods of a test are gone. */
async function removeCaptures(node: string, namespace: string): Promise<void> {
  const root = capturesRoot(node);
  const names = ((await ifExists(readdir(root))) ?? []).filter(
    (name) => parseFolderName(name)?.namespace === namespace,
  );
  // Its agent notes the end of a Pod a moment after the Pod is gone: a record can appear while the folder is removed.
  const patiently = { recursive: true, force: true, maxRetries: 20, retryDelay: 100 } as const;
  await Promise.all(names.map((name) => rm(join(root, name), patiently)));
}

/** Oldest first. */
export async function ringFiles(folder: string): Promise<RingFile[]> {
  const names = (await ifExists(readdir(folder))) ?? [];
  return orderByAge(
    names.flatMap((name) => parseRingFile(name) ?? []),
    wrapAfter,
  );
}

/** The numbers of the numbered datagrams in all files of a ring, in the order of the files. */
export async function numbersIn(folder: string): Promise<number[]> {
  const files = await ringFiles(folder);
  // A ring that goes on deletes files between the look and the reading: then look again.
  const read = await ifExists(Promise.all(files.map(({ name }) => capturedNumbers(join(folder, name)))));
  return read?.flat() ?? (await numbersIn(folder));
}

/** Waits until that Pod is captured, and gives back its folder. */
export async function untilFolder(pod: Pick<RunningPod, 'uid' | 'node' | 'name'>): Promise<string> {
  return await until(() => captureFolder(pod), { what: `the folder of ${pod.name}`, deadlineMs: 30_000 });
}

/** Waits until that number is the last that stands in the files, and gives back all. */
export async function untilLast(folder: string, last: number): Promise<number[]> {
  return await until(
    async () => {
      const numbers = await numbersIn(folder);
      return numbers.at(-1) === last && numbers;
    },
    { what: `datagram ${last} in a file`, deadlineMs: 60_000 },
  );
}

/** So many whole numbers, each one more than the one before. */
export function run(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** The tcpdump processes that write into the folder of that Pod, on any Node. */
export async function tcpdumpsOf({ uid }: Pick<RunningPod, 'uid'>): Promise<number[]> {
  return (await tcpdumpsByPod()).get(uid) ?? [];
}

/** The same of all Pods, by UID. */
export async function tcpdumpsByPod(): Promise<ReadonlyMap<string, number[]>> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = new Map<string, number[]>();
  await Promise.all(
    pids.map(async (pid) => {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const uid = command.startsWith('tcpdump\0') ? /_([0-9a-f-]{36})\//.exec(command)?.[1] : undefined;
      if (uid !== undefined) found.set(uid, [...(found.get(uid) ?? []), Number(pid)]);
    }),
  );
  return found;
}
