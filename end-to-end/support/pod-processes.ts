import { readdir, readFile } from 'node:fs/promises';
import { nodeNamed } from '../../cluster/layout.ts';
import { machineProcess } from '../../cluster/machine.ts';

/** How the command line of an agent's podcap-spawner begins. */
export const spawnerProgram = '/usr/lib/podcap/podcap-spawner';

/** The processes in the containers of the Pod of that UID, on any Node, by how their command line begins. */
export async function processesOf(podUid: string, program: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (!command.startsWith(`${program}\0`)) return [];
      const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
      return cgroup.includes(`pod${podUid}/`) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

/** The process 1 of a Node, as this machine numbers it: its namespaces are the Node's. */
export function nodeProcess(node: string): number {
  const id = machineProcess(nodeNamed(node));
  if (!id) throw new Error(`no Node ${node} runs`);
  return id.pid;
}
