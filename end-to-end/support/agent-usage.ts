import { readdir, readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { withDescendants } from '../../src/testbed/descendants.ts';
import { until } from '../../src/testbed/until.ts';
import { processesOf } from './pod-processes.ts';
import type { TestCluster } from './test-cluster.ts';

/** The agent of a Node, as this machine numbers its process. */
export type AgentProcess = {
  readonly node: string;
  readonly pod: string;
  readonly uid: string;
  readonly pid: number;
};

/** The agent that runs on that Node, or the next one that is not `before`. */
export async function agentProcess(
  { client }: TestCluster,
  node: string,
  before?: AgentProcess,
): Promise<AgentProcess> {
  return await until(
    async () => {
      const query = { labelSelector: 'app=packet-capture', fieldSelector: `spec.nodeName=${node}` };
      const list = await client.get({ path: '/api/v1/namespaces/kube-system/pods', query });
      for (const { metadata } of v.parse(podsSchema, list).items) {
        if (metadata.deletionTimestamp !== undefined) continue;
        const { uid, name: pod } = metadata;
        const [pid] = await processesOf(uid, 'node');
        if (pid !== undefined && pid !== before?.pid) return { node, pod, uid, pid };
      }
      return undefined;
    },
    { what: `another agent on ${node}`, deadlineMs: 60_000 },
  );
}

const podsSchema = v.object({
  items: v.array(
    v.object({
      metadata: v.object({ name: v.string(), uid: v.string(), deletionTimestamp: v.optional(v.string()) }),
    }),
  ),
});

/** When that process started, in milliseconds since 1970 (proc_pid_stat(5), field 22, in ticks of 10 ms). */
export async function startedMs(pid: number): Promise<number> {
  const [stat, uptime] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile('/proc/uptime', 'utf8'),
  ]);
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  return Date.now() - Number(uptime.split(' ')[0]) * 1_000 + ticks * 10;
}

/** What a leak would add to. */
export type ProcessUsage = {
  readonly rssAnonKib: number;
  readonly descriptors: number;
  /** podcap-spawner, its tcpdumps, and whatever else it has started. */
  readonly processes: number;
};

export async function heldBy(pid: number): Promise<ProcessUsage> {
  const [status, descriptors, processes] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readdir(`/proc/${pid}/fd`),
    withDescendants(pid),
  ]);
  return {
    rssAnonKib: Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]),
    descriptors: descriptors.length,
    processes: processes.length - 1,
  };
}
