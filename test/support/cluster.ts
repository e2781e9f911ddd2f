import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { checkoutFolders, machineFolder, nodes } from '../../cluster/layout.ts';
import { ifThere } from '../../src/agent/missing.ts';
import { parseFolderName, parseRingFile, type RingFile } from '../../src/agent/names.ts';
import { orderByAge } from '../../src/agent/ring-order.ts';
import { kubernetesClient } from '../../src/kubernetes/client.ts';
import { kubeconfigConfig } from '../../src/kubernetes/config.ts';
import { capturedNumbers } from '../../src/lab/captured.ts';
import { until } from '../../src/lab/until.ts';

const folders = checkoutFolders(join(import.meta.dirname, '../..'));
const kubectlPath = join(folders.bin, 'kubectl');
const annotation = 'tcpdump.antrea.io';
/** Two times the agent's --max-files. */
const wrapAfter = 200;

/** The cluster of cluster/, seen through a namespace that a test file has for itself. */
export type TestCluster = Awaited<ReturnType<typeof testCluster>>;

export type RunningPod = {
  readonly name: string;
  readonly uid: string;
  readonly ip: string;
  readonly node: string;
};

/** Runs kubectl as a person would, and gives back what it printed. */
export async function kubectl(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(kubectlPath, ['--kubeconfig', folders.kubeconfig, ...args], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
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
        const { metadata, spec, status } = await podNow(name);
        const { podIP: ip, phase } = status;
        if (phase !== 'Running' || !ip || !spec.nodeName) return undefined;
        return { name, uid: metadata.uid, ip, node: spec.nodeName };
      },
      { what: `${name} to run`, deadlineMs: 60_000 },
    );
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
    async create(pod: object & { readonly metadata: { readonly name: string } }): Promise<void> {
      await client.create({ path: `/api/v1/namespaces/${namespace}/pods`, body: pod });
    },
    async annotate(name: string, value: string | null): Promise<void> {
      await client.patch({
        path: podPath(name),
        body: { metadata: { annotations: { [annotation]: value } } },
      });
    },
    async delete(name: string, ...options: readonly string[]): Promise<void> {
      await kubectl('-n', namespace, 'delete', 'pod', name, '--wait=true', ...options);
    },
    /** The Event of that reason about the Pod of that UID. */
    async event(uid: string, reason: string) {
      return await until(async () => (await events(uid)).find((event) => event.reason === reason), {
        what: `an Event ${reason}`,
        deadlineMs: 30_000,
      });
    },
    events,
    /** What a receiver (pods.ts) has heard so far. */
    async heard(receiver: string) {
      return v.parse(heardSchema, await client.get({ path: `${podPath(receiver)}:8080/proxy/` }));
    },
    async [Symbol.asyncDispose]() {
      await kubectl('delete', 'namespace', namespace, '--wait=true');
      await Promise.all(nodes.map(({ name }) => removeCaptures(name, namespace)));
      await client[Symbol.asyncDispose]();
    },
  };
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
  const names = (await ifThere(readdir(root))) ?? [];
  const name = names.find((folder) => parseFolderName(folder)?.uid === uid);
  return name === undefined ? undefined : join(root, name);
}

export function capturesRoot(node: string): string {
  const machine = nodes.find(({ name }) => name === node);
  if (!machine) throw new Error(`the cluster has no Node ${node}`);
  return join(machineFolder(machine), 'var/lib/podcap');
}

/** What stays on the Node after the Pods of a test are gone. */
async function removeCaptures(node: string, namespace: string): Promise<void> {
  const root = capturesRoot(node);
  const names = ((await ifThere(readdir(root))) ?? []).filter(
    (name) => parseFolderName(name)?.namespace === namespace,
  );
  await Promise.all(names.map((name) => rm(join(root, name), { recursive: true })));
}

/** Oldest first. */
export async function ringFiles(folder: string): Promise<RingFile[]> {
  const names = (await ifThere(readdir(folder))) ?? [];
  return orderByAge(
    names.flatMap((name) => parseRingFile(name) ?? []),
    wrapAfter,
  );
}

/** The numbers of the numbered datagrams in all files of a ring, in the order of the files. */
export async function numbersIn(folder: string): Promise<number[]> {
  const files = await ringFiles(folder);
  // A ring that goes on deletes files between the look and the reading: then look again.
  const read = await ifThere(Promise.all(files.map(({ name }) => capturedNumbers(join(folder, name)))));
  return read?.flat() ?? (await numbersIn(folder));
}

/** The tcpdump processes that write into the folder of that Pod, on any Node. */
export async function tcpdumpsOf({ uid }: Pick<RunningPod, 'uid'>): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return command.startsWith('tcpdump\0') && command.includes(`_${uid}/`) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}
