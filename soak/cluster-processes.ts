import { readFile } from 'node:fs/promises';
import { cgroupName } from '../cluster/layout.ts';
import { allProcessIds } from '../end-to-end/support/pod-processes.ts';
import { parseProcessStat } from '../src/base/process-stat.ts';

/** A process of the cluster, as this machine numbers it. */
export type ClusterProcess = {
  readonly pid: number;
  readonly parent: number;
  readonly argv: readonly string[];
  readonly cgroup: string;
  /** Its machine: control, node1 or node2. */
  readonly machine: string;
  /** It has ended, and was not waited for. */
  readonly isZombie: boolean;
};

/** Every process of the cluster; one that ends meanwhile is left out. */
export async function clusterProcesses(): Promise<ClusterProcess[]> {
  const pids = await allProcessIds();
  const found = await Promise.all(pids.map((pid) => clusterProcess(pid).catch(() => undefined)));
  return found.filter((process) => process !== undefined);
}

async function clusterProcess(pid: number): Promise<ClusterProcess | undefined> {
  const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8');
  const machine = new RegExp(`/${cgroupName}/(\\w+)`).exec(cgroup)?.[1];
  if (machine === undefined) return undefined;
  const [command, stat] = await Promise.all([
    readFile(`/proc/${pid}/cmdline`, 'utf8'),
    readFile(`/proc/${pid}/stat`, 'utf8'),
  ]);
  const parsed = parseProcessStat(stat);
  if (parsed === undefined) return undefined;
  const { parent, state } = parsed;
  return { pid, parent, argv: command.split('\0'), cgroup, machine, isZombie: state === 'Z' };
}

/** Whether it is an agent. */
export function isAgent({ argv }: ClusterProcess): boolean {
  return argv[0] === 'node' && argv.includes('/usr/lib/podcap/podcap.cjs');
}

/** The generation that it captures into the folder of that Pod; undefined for anything but a tcpdump that does. */
export function writtenGeneration({ argv }: ClusterProcess, uid: string): number | undefined {
  if (argv[0] !== 'tcpdump') return undefined;
  const path = argv.find((argument) => argument.includes(`_${uid}/`));
  const generation = /\.(\d+)\.pcap\d*$/.exec(path ?? '')?.[1];
  return generation === undefined ? undefined : Number(generation);
}

/** Whether it is the sender of that Pod (execute.ts). */
export function sendsFor({ argv, cgroup }: ClusterProcess, uid: string): boolean {
  return argv[0] === 'node' && cgroup.includes(`pod${uid}/`);
}
