import { readFile } from 'node:fs/promises';
import { control } from '../../cluster/layout.ts';
import { machineProcess } from '../../cluster/machine.ts';
import { kubectl } from '../../end-to-end/support/run-kubectl.ts';
import { withDescendants } from '../../src/testbed/descendants.ts';

/** The PID of the cluster's API server on this machine; throws when none runs. */
export async function apiServerProcess(): Promise<number> {
  const machine = machineProcess(control);
  const all = machine ? await withDescendants(machine.pid) : [];
  for (const pid of all) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (/^(\S*\/)?kube-apiserver\0/.test(command)) return pid;
  }
  throw new Error('the API server does not run');
}

/** How often the API server has listed Pods from etcd, instead of from its watch cache, since it started. */
export async function podListsFromEtcd(): Promise<number> {
  return podLists(await kubectl('get', '--raw', '/metrics'));
}

/** The same number, from the API server's metrics in Prometheus text format. */
export function podLists(metrics: string): number {
  return metrics
    .split('\n')
    .filter((line) => line.startsWith('etcd_requests_total{') && /"(\/registry\/)?pods\/?"/.test(line))
    .filter((line) => /operation="list/.test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
