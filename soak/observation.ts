import { readdir, readFile } from 'node:fs/promises';
import { nodes } from '../cluster/layout.ts';
import { captureFolder } from '../end-to-end/support/node-captures.ts';
import { rssAnonKib } from '../end-to-end/support/process-resources.ts';
import { ifExists } from '../src/base/fs-errors.ts';
import {
  type ClusterProcess,
  clusterProcesses,
  isAgent,
  sendsFor,
  writtenGeneration,
} from './cluster-processes.ts';
import type { Observation, ObservedAgent, ObservedPod } from './observed-cluster.ts';
import { observeFolder } from './observed-folder.ts';

/** A Pod that the soak has created, and what is desired of it. Its name can be that of several Pods in turn. */
export type SoakPod = Omit<ObservedPod, 'sends' | 'tcpdumps' | 'folder'> & { readonly node: string };

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
  const running = processes.flatMap((process) => writtenGeneration(process, pod.uid) ?? []);
  const sends = processes.some((process) => sendsFor(process, pod.uid));
  const path = await captureFolder({ uid: pod.uid, node });
  // It can be deleted before it is read.
  const folder = path === undefined ? undefined : await ifExists(observeFolder(path, new Set(running)));
  return { ...pod, sends, tcpdumps: running.length, folder };
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
