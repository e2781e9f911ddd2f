import { readdir, readFile } from 'node:fs/promises';
import { nodeNamed } from '../../cluster/layout.ts';
import { machineProcess } from '../../cluster/machine.ts';
import { until } from '../../src/base/until.ts';

/** How the command line of an agent's podcap-spawner starts. */
export const spawnerProgram = '/usr/lib/podcap/podcap-spawner';

/** How the command line of an agent or a hub starts. */
export const nodeProgram = 'node';

/** Every process of this machine; those of the cluster's Nodes are among them. */
export async function allProcessIds(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** The processes in the containers of the Pod with that UID, on any Node, whose program is `program`. */
export async function processesOf(podUid: string, program: string): Promise<number[]> {
  const found = await Promise.all(
    (await allProcessIds()).map(async (pid) => {
      const command = await commandLine(pid);
      if (!command.startsWith(`${program}\0`)) return [];
      const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
      return cgroup.includes(`pod${podUid}/`) ? [pid] : [];
    }),
  );
  return found.flat();
}

/** The tcpdump processes that write into the folder of that Pod, on any Node. */
export async function tcpdumpsOf({ uid }: { readonly uid: string }): Promise<number[]> {
  return (await tcpdumpsByPod()).get(uid) ?? [];
}

/** The tcpdump processes of every captured Pod, by the UID of the Pod. */
async function tcpdumpsByPod(): Promise<ReadonlyMap<string, number[]>> {
  const found = new Map<string, number[]>();
  await Promise.all(
    (await allProcessIds()).map(async (pid) => {
      const command = await commandLine(pid);
      const uid = command.startsWith('tcpdump\0') ? /_([0-9a-f-]{36})\//.exec(command)?.[1] : undefined;
      if (uid !== undefined) found.set(uid, [...(found.get(uid) ?? []), pid]);
    }),
  );
  return found;
}

/** Waits until each of these Pods has `count` tcpdump processes, one unless stated. */
export async function waitForTcpdumps(
  pods: readonly { readonly uid: string }[],
  { count = 1, deadlineMs = 10_000 } = {},
): Promise<void> {
  await until(
    async () => {
      const tcpdumps = await tcpdumpsByPod();
      return pods.every(({ uid }) => (tcpdumps.get(uid)?.length ?? 0) === count);
    },
    { what: `${count} tcpdump for each of ${pods.length} Pods`, deadlineMs },
  );
}

/** Empty for a process that has ended. */
async function commandLine(pid: number): Promise<string> {
  return await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
}

/** Process 1 of a Node, as this machine numbers it: its namespaces are the Node's. */
export function nodeProcess(node: string): number {
  const id = machineProcess(nodeNamed(node));
  if (!id) throw new Error(`Node ${node} does not run`);
  return id.pid;
}
