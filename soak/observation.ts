import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { nodes } from '../cluster/layout.ts';
import { captureFolder } from '../end-to-end/support/node-captures.ts';
import { ringFiles } from '../end-to-end/support/ring-contents.ts';
import { noTotals, readRecords } from '../src/agent/storage/capture-records.ts';
import type { RingFile } from '../src/agent/storage/file-names.ts';
import { ifExists } from '../src/base/fs-errors.ts';
import { capturedNumbers } from '../src/testbed/captured-numbers.ts';
import { type ClusterProcess, clusterProcesses, isAgent, sendsFor, writesFor } from './cluster-processes.ts';
import type { SeenAgent, SeenPod, Sight } from './invariants.ts';

/** One life of a Pod: a name can have several. */
export type Life = {
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly lives: boolean;
  readonly wantedFiles: number | undefined;
  /** The most that were wanted since everything had settled last. */
  readonly mostFiles: number;
  readonly wasEverWanted: boolean;
};

/** Looks at everything that the invariants speak of. */
export async function lookAt(lives: readonly Life[]): Promise<Sight> {
  const processes = await clusterProcesses();
  return {
    pods: await Promise.all(lives.map((life) => lookAtPod(life, processes))),
    agents: await lookAtAgents(processes),
  };
}

async function lookAtPod(life: Life, processes: readonly ClusterProcess[]): Promise<SeenPod> {
  const { name, uid, lives, wantedFiles, mostFiles, wasEverWanted } = life;
  const tcpdumps = processes.filter((process) => writesFor(process, uid)).length;
  const sends = processes.some((process) => sendsFor(process, uid));
  const pod = { name, uid, lives, wantedFiles, mostFiles, wasEverWanted, sends, tcpdumps };
  const folder = await captureFolder(life);
  // It may go between two looks.
  return { ...pod, folder: folder === undefined ? undefined : await ifExists(lookInside(folder)) };
}

async function lookInside(folder: string) {
  const { ino, birthtimeMs } = await stat(folder);
  const files = await ringFiles(folder);
  const numbers = Map.groupBy(await readFiles(folder, files), ({ generation }) => generation);
  const records = await readRecords(folder);
  const { missed, dropped, lostAtStop } = records.at(-1)?.forgotten ?? noTotals;
  return {
    id: `${ino} of ${birthtimeMs}`,
    files: files.length,
    captures: records.map(({ generation, totals, endTime }, i) => ({
      generation,
      numbers: (numbers.get(generation) ?? []).flatMap((file) => file.numbers),
      missed: totals.missed,
      dropped: totals.dropped + totals.lostAtStop,
      wasCut: endTime === undefined && i < records.length - 1,
    })),
    forgotten: missed + dropped + lostAtStop,
  };
}

async function readFiles(folder: string, files: readonly RingFile[]) {
  const all = files.map(async ({ name, generation }) => ({
    generation,
    numbers: await ifExists(capturedNumbers(join(folder, name))),
  }));
  // The ring deletes the oldest, perhaps between two of these readings: what was read before it would be apart.
  const read = await Promise.all(all);
  const deleted = read.findLastIndex(({ numbers }) => numbers === undefined);
  return read.slice(deleted + 1).map(({ generation, numbers = [] }) => ({ generation, numbers }));
}

async function lookAtAgents(processes: readonly ClusterProcess[]): Promise<SeenAgent[]> {
  const agents = processes.filter(isAgent).map(async (agent) => {
    // podcap-spawner, and its tcpdumps.
    const children = processes.filter(({ parent }) => parent === agent.pid);
    const own = [
      ...children,
      ...children.flatMap(({ pid }) => processes.filter(({ parent }) => parent === pid)),
    ];
    const status = await readFile(`/proc/${agent.pid}/status`, 'utf8');
    return {
      node: agent.machine,
      pid: agent.pid,
      captures: own.filter(({ argv }) => argv[0] === 'tcpdump').length,
      memoryKib: Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]),
      descriptors: (await readdir(`/proc/${agent.pid}/fd`)).length,
      zombies: own.filter(({ isZombie }) => isZombie).length,
    };
  });
  // One that ends while it is looked at is none.
  const settled = await Promise.allSettled(agents);
  return settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}

/** The machines that have no agent. */
export function withoutAgent({ agents }: Sight): string[] {
  return nodes
    .map(({ name }) => name)
    .filter((name) => agents.filter(({ node }) => node === name).length !== 1);
}
