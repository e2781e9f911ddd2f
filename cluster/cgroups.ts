import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../src/base/until.ts';
import { cgroupName, type Machine } from './layout.ts';

/**
 * Every process of the cluster is in a cgroup under `podcap-cluster`, and enters it before it starts anything. So the
 * kernel knows what belongs to the cluster, whatever crashed and whatever was recorded.
 */

/** The mount points of all cgroup hierarchies: one per controller (v1), or a single one (v2). */
export function hierarchies(mounts: string = readFileSync('/proc/self/mounts', 'utf8')): string[] {
  const found = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, target]) => target ?? '');
  return [...new Set(found)];
}

/** Creates a machine's cgroups. Returns the files that a process writes its pid to in order to enter them. */
export function makeMachineCgroups(machine: Machine): string[] {
  const all = hierarchies();
  const isVersion2 = all.length === 1; // where version 1 is mounted too, the kubelet uses no controller of version 2
  return all.map((hierarchy) => {
    let folder = hierarchy;
    for (const level of [cgroupName, machine.name, 'system']) {
      if (isVersion2) delegateControllers(folder);
      folder = join(folder, level);
      mkdirSync(folder, { recursive: true });
      if (!isVersion2) inheritCpuset(folder);
    }
    return join(folder, 'cgroup.procs');
  });
}

/** cgroup v2: children get a controller only if their parent delegates it. The kubelet needs these. */
function delegateControllers(folder: string): void {
  const read = (name: string) => readFileSync(join(folder, name), 'utf8').trim().split(' ');
  const delegated = read('cgroup.subtree_control');
  const available = read('cgroup.controllers').filter((name) => !delegated.includes(name));
  const needed = new Set(['cpu', 'cpuset', 'hugetlb', 'io', 'memory', 'pids']);
  const missing = available.filter((name) => needed.has(name)).map((name) => `+${name}`);
  if (missing.length > 0) writeFileSync(join(folder, 'cgroup.subtree_control'), missing.join(' '));
}

/** cgroup v1: a new cpuset is empty, and no process can enter an empty cpuset. */
function inheritCpuset(folder: string): void {
  for (const name of ['cpuset.cpus', 'cpuset.mems']) {
    if (existsSync(join(folder, name))) {
      writeFileSync(join(folder, name), readFileSync(join(folder, '..', name)));
    }
  }
}

/** A part of the cluster with a cgroup of its own: a machine, or what the tests run next to them. */
export type ClusterPart = Pick<Machine, 'name'>;

/** The pids of all processes of the cluster, or of one part of it. */
export function members(part?: ClusterPart): number[] {
  return [...new Set(cgroupsOf(part).flatMap(processesIn))];
}

function processesIn(cgroup: string): number[] {
  try {
    const pids = readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').map(Number);
    return pids.filter((pid) => pid > 1); // to kill(2), 0 means a process group
  } catch {
    return []; // removed since it was listed, or a v2 cgroup of threads
  }
}

/**
 * Kills every process of the cluster, or of one part of it, and removes the cgroups.
 * Leftover Pod cgroups would keep a kubelet from starting the Pods again for 48 s.
 *
 * @throws Error if no process ends within 30 s, or if a cgroup cannot be removed.
 */
export async function endMembers(part?: ClusterPart): Promise<void> {
  // Hundreds of Pods on a machine with a load of 130 took 30 s to end, so the deadline is for one process at a time.
  for (let left = killMembers(part); left > 0; ) {
    const before = left;
    const fewer = () => {
      const now = killMembers(part);
      return now < before ? now : undefined;
    };
    const what = `one of ${before} processes of ${part?.name ?? 'the cluster'} to end`;
    left = await until(fewer, { what, deadlineMs: 30_000, everyMs: 50 });
  }
  await removeCgroups(part);
}

function killMembers(part: ClusterPart | undefined): number {
  const pids = members(part);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended
    }
  }
  return pids.length;
}

async function removeCgroups(part: ClusterPart | undefined): Promise<void> {
  const tries = 100; // a cgroup is busy for some milliseconds after its last process
  for (let attempt = 1; ; attempt += 1) {
    try {
      for (const folder of cgroupsOf(part).toReversed()) rmdirSync(folder);
      return;
    } catch (error) {
      if (attempt === tries) throw new Error('a cgroup cannot be removed', { cause: error });
      await sleep(50);
    }
  }
}

/** Parents before children. */
function cgroupsOf(part: ClusterPart | undefined): string[] {
  const tops = hierarchies().map((hierarchy) => join(hierarchy, cgroupName, part?.name ?? ''));
  return tops.filter((top) => existsSync(top)).flatMap(foldersFrom);
}

function foldersFrom(top: string): string[] {
  return [top].concat(childrenOf(top).flatMap(foldersFrom));
}

function childrenOf(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return entries.map(({ name }) => join(folder, name));
  } catch {
    return []; // removed while it was read
  }
}
