import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { nodes } from '../cluster/layout.ts';
import { captureFolder } from '../end-to-end/support/node-captures.ts';
import { rssAnonKib } from '../end-to-end/support/process-resources.ts';
import { ringFiles } from '../end-to-end/support/ring-contents.ts';
import { noTotals, readRecords } from '../src/agent/storage/capture-records.ts';
import type { RingFile } from '../src/agent/storage/file-names.ts';
import { followsHole } from '../src/agent/storage/ring-order.ts';
import { mostFileBytes } from '../src/agent/storage/ring-size.ts';
import { ifExists } from '../src/base/fs-errors.ts';
import { capturedNumbers } from '../src/pcap/testing/captured-numbers.ts';
import { type ClusterProcess, clusterProcesses, isAgent, sendsFor, writesFor } from './cluster-processes.ts';
import type { Observation, ObservedAgent, ObservedPod } from './invariants.ts';

/** A Pod that the soak has created, and what its annotation asks for. Its name can be that of several Pods in turn. */
export type SoakPod = Pick<
  ObservedPod,
  'name' | 'uid' | 'exists' | 'desiredFiles' | 'maxDesiredFiles' | 'wasEverAnnotated'
> & { readonly node: string };

/** Observes everything that the invariants are about. */
export async function observe(pods: readonly SoakPod[]): Promise<Observation> {
  const processes = await clusterProcesses();
  return {
    pods: await Promise.all(pods.map((pod) => observePod(pod, processes))),
    agents: await observeAgents(processes),
  };
}

async function observePod(
  { node, ...pod }: SoakPod,
  processes: readonly ClusterProcess[],
): Promise<ObservedPod> {
  const tcpdumps = processes.filter((process) => writesFor(process, pod.uid)).length;
  const sends = processes.some((process) => sendsFor(process, pod.uid));
  const path = await captureFolder({ uid: pod.uid, node });
  // It can be deleted before it is read.
  const folder = path === undefined ? undefined : await ifExists(observeFolder(path));
  return { ...pod, sends, tcpdumps, folder };
}

async function observeFolder(folder: string) {
  const { ino, birthtimeMs } = await stat(folder);
  const records = await readRecords(folder);
  // Files of other generations are hostile: to read one could block.
  const started = new Set(records.map(({ generation }) => generation));
  const files = (await ringFiles(folder)).filter(({ generation }) => started.has(generation));
  const ended = new Set(
    records.flatMap(({ generation, endTime }) => (endTime === undefined ? [] : [generation])),
  );
  const numbers = Map.groupBy(
    await readFiles(folder, afterHole(files, ended)),
    ({ generation }) => generation,
  );
  const { missed, dropped, lostAtStop } = records.at(-1)?.forgotten ?? noTotals;
  return {
    id: `${ino} of ${birthtimeMs}`,
    files: (await bytesOf(folder, files)) / mostFileBytes({ fileMegabytes: 1 }),
    captures: records.map(({ generation, totals, endTime }, i) => ({
      generation,
      numbers: (numbers.get(generation) ?? []).flatMap((file) => file.numbers),
      missed: totals.missed,
      dropped: totals.dropped + totals.lostAtStop + (totals.unseen ?? 0),
      wasCut: endTime === undefined && i < records.length - 1,
    })),
    forgotten: missed + dropped + lostAtStop,
  };
}

/**
 * Without what is older than a capture that has deleted its first file: it is about to be deleted, and what is in between
 * is pruned, not missed (src/agent/storage/snapshot.ts).
 */
function afterHole(files: readonly RingFile[], ended: ReadonlySet<number>): readonly RingFile[] {
  const first = files.findLastIndex((file, at) => {
    const before = files[at - 1];
    return followsHole(file, before) && before !== undefined && ended.has(before.generation);
  });
  return files.slice(Math.max(0, first));
}

async function bytesOf(folder: string, files: readonly RingFile[]): Promise<number> {
  const sizes = files.map(async ({ name }) => (await ifExists(stat(join(folder, name))))?.size ?? 0);
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}

async function readFiles(folder: string, files: readonly RingFile[]) {
  const all = files.map(async ({ name, generation }) => ({
    generation,
    numbers: await ifExists(capturedNumbers(join(folder, name))),
  }));
  // The ring may delete the oldest files meanwhile: what was read of still older ones would not be adjacent.
  const read = await Promise.all(all);
  const deleted = read.findLastIndex(({ numbers }) => numbers === undefined);
  return read.slice(deleted + 1).map(({ generation, numbers = [] }) => ({ generation, numbers }));
}

async function observeAgents(processes: readonly ClusterProcess[]): Promise<ObservedAgent[]> {
  const agents = processes.filter(isAgent).map(async (agent) => {
    // podcap-spawner, and its tcpdumps.
    const children = processes.filter(({ parent }) => parent === agent.pid);
    const own = [
      ...children,
      ...children.flatMap(({ pid }) => processes.filter(({ parent }) => parent === pid)),
    ];
    return {
      node: agent.machine,
      pid: agent.pid,
      captures: own.filter(({ argv }) => argv[0] === 'tcpdump').length,
      memoryKib: rssAnonKib(await readFile(`/proc/${agent.pid}/status`, 'utf8')),
      descriptors: (await readdir(`/proc/${agent.pid}/fd`)).length,
      zombies: own.filter(({ isZombie }) => isZombie).length,
    };
  });
  // An agent that ends meanwhile is left out.
  const observed = await Promise.allSettled(agents);
  return observed.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}

/** The Nodes that do not have exactly one agent. */
export function nodesWithoutAgent({ agents }: Observation): string[] {
  return nodes
    .map(({ name }) => name)
    .filter((name) => agents.filter(({ node }) => node === name).length !== 1);
}
